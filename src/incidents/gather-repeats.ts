import type { Incident } from '../model/incident.ts';
import { repeatDueAt, wasNotified } from './decide.ts';
import { append, type Gathered, type Verdict } from './drafts.ts';
import { rank } from './observe.ts';
import type { Policy } from './policy.ts';
import { repeatedInstead } from './series.ts';

/** Repeats of one rule that are due together, or nearly, are one message; `mayName`: not silenced, and still so. */
export function gatherRepeats(
  verdicts: readonly Verdict[],
  all: ReadonlyMap<number, Incident>,
  policy: Policy,
  now: number,
  mayName: (incident: Incident) => boolean,
  { drafts, quiet }: Gathered,
): void {
  const byRule = new Map<string, Incident[]>();
  for (const { incident, reason } of verdicts) {
    if (reason !== 'repeat-due' || isCovered(incident, all)) continue;
    // One that comes and goes has a message of its own, which says how it is.
    if (incident.flapping) drafts.push({ reason, incident, others: [] });
    else if (mayName(incident)) append(byRule, incident.rule, incident);
  }
  for (const [rule, due] of byRule) {
    const soon = [...all.values()].filter(
      (other) =>
        other.rule === rule &&
        !due.some((incident) => incident.id === other.id) &&
        mayRepeat(other) &&
        mayName(other) &&
        !isCovered(other, all) &&
        (repeatDueAt(other, policy) ?? Infinity) <= now + policy.rateLimitMs,
    );
    const [incident, ...others] = [...due, ...soon].toSorted((a, b) => rank(b.severity) - rank(a.severity));
    drafts.push({ reason: 'repeat-due', incident: incident!, others });
    for (const symptom of all.values()) {
      // It counts as repeated, so that it does not catch up when its cause ends.
      if (symptom.state !== 'firing' || symptom.rule === rule) continue;
      const cover = coverOf(symptom, all);
      if (!cover || ![incident!, ...others].some((one) => one.id === cover.id)) continue;
      const said = { ...symptom.said, lastAt: now };
      quiet.push({ incident: { ...symptom, said }, reason: 'folded' });
    }
  }
}

function isCovered(incident: Incident, all: ReadonlyMap<number, Incident>): boolean {
  return coverOf(incident, all) !== undefined;
}

/** What it is a symptom of, where that is still on and repeated itself. */
function coverOf(incident: Incident, all: ReadonlyMap<number, Incident>): Incident | undefined {
  const { groupId, rule } = incident;
  const leader = groupId === undefined ? undefined : all.get(groupId);
  return leader?.state === 'firing' && leader.rule !== rule ? leader : repeatedInstead(incident, all);
}

function mayRepeat(incident: Incident): boolean {
  return (
    incident.state === 'firing' &&
    !incident.flapping &&
    incident.okSince === undefined &&
    incident.missingSince === undefined &&
    wasNotified(incident)
  );
}
