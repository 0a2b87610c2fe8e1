import type { ContainerInfo } from './snapshot.ts';

/** What happened to a container: for muting, for sending many of a kind as one list, and for the heading of such a list. */
export type Change =
  | 'started'
  | 'stopped'
  | 'asked-stop'
  | 'restored'
  | 'restarting'
  | 'restarted'
  | 'redeployed'
  | 'malfunction'
  | 'unhealthy'
  | 'renamed'
  | 'removed';

/** `line`: HTML. `job`: of a container that nobody asked to be watched, and that is not started again: jobs have random names. */
export type ListLine = { change: Change; line: string; job?: true };

/** What a message states about a container at the moment at which it is written. */
export type Claim = 'up' | 'down' | 'healthy' | 'unhealthy';

/** Whether a claim is so, as the container is now; undefined: there is no container of the name. */
export function holds(claim: Claim, now: Pick<ContainerInfo, 'state' | 'health'> | undefined): boolean {
  const up = now?.state === 'running';
  if (claim === 'up') return up;
  if (claim === 'down') return !up;
  const unhealthy = up && now.health === 'unhealthy';
  return claim === 'unhealthy' ? unhealthy : up && !unhealthy;
}
