// A container that stops and comes back again and again: the second stop within 10 minutes is told with a note, the further
// ones are not, until it has been stable for 10 minutes or stays down. The incident stays open meanwhile.
import type { Finding } from '../model/finding.ts';
import { formatDuration } from '../model/text.ts';
import { ends, happened, opens, type Said, type Whom } from './findings.ts';
import { sayNow } from './outlet.ts';
import { tallyOf } from './table.ts';
import type { Flap, FlapKind, Turn } from './types.ts';

const WINDOW_MS = 600_000;
/** Down for this long is not flapping any more. */
const STAYS_DOWN_MS = 60_000;

/** Like `opens`; undefined where nothing is to be said because it flaps. */
export function opensDamped(
  turn: Turn,
  key: string,
  kind: FlapKind,
  whom: Whom,
  said: Said,
): Finding | undefined {
  const { mono } = turn.now;
  const tally = tallyOf(turn.state, key);
  const before = tally.flaps[kind];
  const lately = before !== undefined && mono - before.openedAt < WINDOW_MS;
  if (before?.flapping) {
    const since = turn.state.standing.get(key)?.[kind]?.since ?? said.at;
    const finding = opens(turn, key, kind, whom, said);
    turn.state.standing.get(key)![kind]!.since = since;
    tally.flaps[kind] = {
      ...before,
      count: before.count + 1,
      changedAt: mono,
      downDue: mono + STAYS_DOWN_MS,
      down: finding,
    };
    return undefined;
  }
  const count = lately ? before.count + 1 : 1;
  const flap: Flap = { openedAt: mono, changedAt: mono, count, flapping: lately };
  tally.flaps[kind] = flap;
  if (!lately) return opens(turn, key, kind, whom, said);
  const note =
    `\nNote: ${count} times within ${formatDuration(WINDOW_MS)}. Further changes are told when it has been stable for ` +
    `${formatDuration(WINDOW_MS)}, or stays down.`;
  return opens(
    turn,
    key,
    kind,
    whom,
    said.html === undefined ? said : { ...said, html: `${said.html}${note}` },
  );
}

/** Like `ends`; undefined where nothing is to be said because it flaps (then the trouble stands, marked as up). */
export function endsDamped(
  turn: Turn,
  key: string,
  kind: FlapKind,
  said: { text: string; at: number; html?: string },
): Finding | undefined {
  const flap = turn.state.tallies.get(key)?.flaps[kind];
  const trouble = turn.state.standing.get(key)?.[kind];
  if (!flap?.flapping || !trouble) return ends(turn, key, kind, said);
  trouble.up = true;
  flap.changedAt = turn.now.mono;
  delete flap.downDue;
  delete flap.down;
  flap.resolved = said;
  turn.out.touched.add(key);
  return undefined;
}

/** Whether it is in trouble of this kind at the moment; one that flaps may be up although its incident stands. */
export function isDown(turn: Turn, key: string, kind: FlapKind): boolean {
  const trouble = turn.state.standing.get(key)?.[kind];
  return trouble !== undefined && trouble.up !== true;
}

/** When the next thing about this flapping is due, monotonic. */
export function flapDue(flap: Flap): number {
  return flap.flapping ? Math.min(flap.downDue ?? Infinity, flap.changedAt + WINDOW_MS) : Infinity;
}

/** Tells that it stays down, or that it has been stable. */
export function flapsDue(turn: Turn, key: string, kind: FlapKind, flap: Flap): void {
  const { mono } = turn.now;
  if (flap.downDue !== undefined && mono >= flap.downDue) {
    const { down } = flap;
    delete flap.downDue;
    delete flap.down;
    if (down) {
      const whom = { name: down.subject, ...(down.alias !== undefined ? { service: down.alias } : {}) };
      const said = {
        text: `${down.text}; it stays down`,
        at: down.at ?? turn.now.wall,
        severity: down.severity,
      };
      const html = down.html?.opened ? { html: down.html.opened } : {};
      sayNow(turn, { change: kind, finding: happened(down.rule, whom, { ...said, ...html }) });
    }
  }
  if (mono < flap.changedAt + WINDOW_MS) return;
  flap.flapping = false;
  const trouble = turn.state.standing.get(key)?.[kind];
  if (!trouble?.up || !flap.resolved) return;
  const { text, html } = flap.resolved;
  const stable = `Stable for: ${formatDuration(WINDOW_MS)}, after ${flap.count} times`;
  const finding = ends(turn, key, kind, {
    text: `${text}; stable for ${formatDuration(WINDOW_MS)} after ${flap.count} times`,
    at: turn.now.wall,
    ...(html !== undefined ? { html: `${html}\n${stable}` } : {}),
  });
  if (finding) sayNow(turn, { change: 'restored', finding });
}
