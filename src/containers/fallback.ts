// What is said when a change of a container was seen and its message could not be made: a mistake in the wording must cost neither
// the alert nor what comes after it.
import type { Finding } from '../model/finding.ts';
import { plain } from '../model/text.ts';
import type { Input, Moment, State } from './types.ts';

const BAD = new Set(['die', 'oom', 'health_status: unhealthy']);

/**
 * Plain findings for the input that failed and for what was due, which is given up: it would fail again with every input. The list that
 * is asked for next brings the table into order.
 */
export function tellPlainly(state: State, input: Input, now: Moment, why: string): Finding[] {
  const about: [name: string, what: string][] = [];
  if (input.type === 'event' && BAD.has(input.event.action))
    about.push([String(input.event.name), `Docker says "${input.event.action}"`]);
  for (const [key, story] of state.stories) {
    if (story.due > now.mono) continue;
    state.stories.delete(key);
    about.push([key, story.kind === 'crash' ? 'it ended without being asked to' : 'its state changed']);
  }
  for (const [key, check] of state.checks) {
    if (check.due > now.mono) continue;
    state.checks.delete(key);
    about.push([key, 'its healthcheck fails']);
  }
  return about.map(([name, what]) => ({
    rule: 'container-stopped',
    subject: plain(name, 100),
    severity: 'critical',
    verdict: 'event',
    text: `${plain(name, 100)}: ${plain(what, 100)}. How it is in detail could not be put into words (${plain(why, 200)})`,
    at: now.wall,
  }));
}
