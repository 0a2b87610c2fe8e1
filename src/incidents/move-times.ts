import type { Incident } from '../model/incident.ts';

/**
 * Moves all times of an incident by `byMs`, after the clock was set: what began ten minutes ago still began ten minutes
 * ago, so that a corrected clock causes neither a repeat nor an early end.
 */
export function shift(incident: Incident, byMs: number): Incident {
  const moved: Incident = {
    ...incident,
    openedAt: incident.openedAt + byMs,
    lastSeenAt: incident.lastSeenAt + byMs,
    flips: incident.flips.map((at) => at + byMs),
    notified: { ...incident.notified },
  };
  const { spells } = incident;
  if (spells) {
    const since = spells.since === undefined ? {} : { since: spells.since + byMs };
    moved.spells = { ...spells, from: spells.from + byMs, ...since };
  }
  for (const key of ['firedAt', 'resolvedAt', 'okSince', 'worseSince', 'missingSince'] as const) {
    const at = incident[key];
    if (at !== undefined) moved[key] = at + byMs;
  }
  for (const key of ['firstAt', 'lastAt', 'since', 'endDue'] as const) {
    const at = incident.notified[key];
    if (at !== undefined) moved.notified[key] = at + byMs;
  }
  return moved;
}

/** Smaller differences between the two clocks are drift. */
const JUMP_MS = 5000;

/** Watches the wall clock against the one that never goes back. Returns by how much it was set since the last call, else 0. */
export function jumpWatch(clock: { now(): number; monotonic(): number }): () => number {
  let offset = clock.now() - clock.monotonic();
  return () => {
    const next = clock.now() - clock.monotonic();
    const jump = next - offset;
    offset = next;
    return Math.abs(jump) >= JUMP_MS ? jump : 0;
  };
}
