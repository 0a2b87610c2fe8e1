import type { Incident } from '../model/incident.ts';
import { keyOf } from './advance.ts';
import { isMessage, waitsForGroup } from './decide.ts';
import { append, notifiedWith, type Gathered, type Verdict } from './drafts.ts';
import { gatherEnds } from './gather-ends.ts';
import { gatherRepeats } from './gather-repeats.ts';
import { rank } from './observe.ts';
import type { Policy } from './policy.ts';
import { foldSeries } from './series.ts';

/**
 * Makes messages of decisions: what has the same cause and starts within 10 s is one, its end is one, and repeats of one
 * rule that are due together are one. Pure; `all` is everything remembered, open and lately ended, in its newest form.
 */
export function gather(
  verdicts: readonly Verdict[],
  all: ReadonlyMap<number, Incident>,
  policy: Policy,
  now: number,
  mayName: (incident: Incident) => boolean = () => true,
): Gathered {
  const { rest, folded } = foldSeries(verdicts, all);
  const gathered: Gathered = { drafts: [], quiet: folded };
  gatherStarts(rest, all, policy, now, gathered);
  gatherRepeats(rest, all, policy, now, mayName, gathered);
  gatherEnds(rest, all, policy, now, gathered);
  for (const { incident, reason } of rest) {
    if (reason === 'worse' || reason === 'flapping' || reason === 'stays' || reason === 'stable') {
      gathered.drafts.push({ reason, incident, others: [] });
    } else if (!isMessage(reason)) gathered.quiet.push({ incident, reason });
  }
  return gathered;
}

function gatherStarts(
  verdicts: readonly Verdict[],
  all: ReadonlyMap<number, Incident>,
  policy: Policy,
  now: number,
  { drafts, quiet }: Gathered,
): void {
  const byCause = new Map<string, Incident[]>();
  const storms = verdicts.filter(({ incident, reason }) => reason === 'flapping' && incident.event);
  for (const { incident, reason } of verdicts) {
    if (reason !== 'first') continue;
    const { cause } = incident;
    if (cause === undefined) {
      drafts.push({ reason, incident, others: [] });
      continue;
    }
    const storm = incident.event && storms.find((one) => keyOf(one.incident) === keyOf(incident));
    if (storm) {
      quiet.push({
        incident: { ...incident, said: notifiedWith(incident, storm.incident.id, now) },
        reason: 'folded',
      });
      continue;
    }
    const leader = leaderFor(incident, all, policy, now);
    if (!leader) {
      append(byCause, cause, incident);
      continue;
    }
    const folded = { ...incident, groupId: leader.id };
    // A symptom of another rule is told by its cause; one of the same rule is told with its like when the 10 s are over.
    if (leader.rule !== incident.rule) folded.said = notifiedWith(folded, leader.id, now);
    quiet.push({ incident: folded, reason: 'folded' });
  }
  for (const members of byCause.values()) {
    const [first, ...others] = members.toSorted((a, b) => rank(b.severity) - rank(a.severity));
    if (members.every(waitsForGroup)) {
      // They belong to what was told before, and end with it.
      drafts.push({ reason: 'grouped', incident: first!, others });
      continue;
    }
    const groupId = first!.id;
    const along = others.map((other) => ({ ...other, groupId }));
    drafts.push({ reason: 'first', incident: { ...first!, groupId }, others: along });
  }
}

/** The told incident in whose message this one is folded. A more severe one is never folded. */
function leaderFor(
  incident: Incident,
  all: ReadonlyMap<number, Incident>,
  policy: Policy,
  now: number,
): Incident | undefined {
  let leader: Incident | undefined;
  for (const other of all.values()) {
    if (other.cause !== incident.cause || other.groupId !== other.id || other.id === incident.id) continue;
    const { firstAt, severity } = other.said;
    const sameRule = other.rule === incident.rule;
    const higher = rank(incident.severity) - rank(severity ?? 'info');
    // What happened once is not told again: another rule's message must not swallow it unless it matters less.
    if (firstAt === undefined || higher > 0 || (higher === 0 && incident.event && !sameRule)) continue;
    // What goes on happening brings moments with it; a container that is down for good by now was not told by the first.
    const symptom = other.state === 'firing' && !sameRule && (!other.event || incident.event);
    if (now - firstAt >= policy.groupMs && !symptom) continue;
    if (!leader || firstAt > leader.said.firstAt!) leader = other;
  }
  return leader;
}
