// What is reported when a change of a container was seen and could not be followed: a mistake must cost neither the alert nor what
// comes after it.
import type { ContainerFact } from '../model/container-fact.ts';
import type { Input, Moment, State } from './types.ts';

const BAD = new Set(['die', 'oom', 'health_status: unhealthy']);

/**
 * Plain findings for the input that failed and for what was due, which is given up: it would fail again with every input. The list that
 * is asked for next brings the table into order.
 */
export function reportUnreadable(state: State, input: Input, now: Moment, why: string): ContainerFact[] {
  const about: [name: string, what: string][] = [];
  if (input.type === 'event' && BAD.has(input.event.action))
    about.push([String(input.event.name), `Docker says "${input.event.action}"`]);
  for (const [key, pending] of state.pending) {
    if (pending.due > now.mono) continue;
    state.pending.delete(key);
    about.push([key, pending.kind === 'crash' ? 'it ended without being asked to' : 'its state changed']);
  }
  for (const [key, check] of state.checks) {
    if (check.due > now.mono) continue;
    state.checks.delete(key);
    about.push([key, 'its healthcheck fails']);
  }
  return about.map(([name, what]) => ({ kind: 'unreadable', name, at: now.wall, what, why }));
}
