import type { ContainerInfo } from './snapshot.ts';

/** What changed about a container. */
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

/** How changes of one kind are muted and grouped. */
export type ChangePolicy = {
  /** What `mute` in vpsmon.yaml calls it. */
  mute: 'started' | 'stopped' | 'restored' | 'restarting' | 'redeployed' | 'malfunction' | 'unhealthy';
  /** Sent at once, unless others of its kind come in quick succession. */
  urgent?: true;
  /** One line each, so that a few of them fit one message. */
  oneLine?: true;
};

export const CHANGES: Record<Change, ChangePolicy> = {
  started: { mute: 'started' },
  stopped: { mute: 'stopped', urgent: true },
  'asked-stop': { mute: 'stopped' },
  restored: { mute: 'restored' },
  restarting: { mute: 'restarting' },
  restarted: { mute: 'restarting', oneLine: true },
  redeployed: { mute: 'redeployed', oneLine: true },
  malfunction: { mute: 'malfunction', urgent: true },
  unhealthy: { mute: 'unhealthy', urgent: true },
  renamed: { mute: 'started', oneLine: true },
  removed: { mute: 'restored' },
};

/** What a message states about a container, or about Docker itself, at the moment at which it is written. */
export type Claim = ContainerClaim | 'no-docker';
export type ContainerClaim = 'up' | 'down' | 'paused' | 'healthy' | 'unhealthy' | 'there' | 'gone';

/** Whether a claim is so, as the container is now; undefined: there is no container of the name. */
export function holds(
  claim: ContainerClaim,
  now: Pick<ContainerInfo, 'state' | 'health'> | undefined,
): boolean {
  if (claim === 'gone') return now === undefined;
  if (claim === 'there') return now !== undefined;
  if (claim === 'paused') return now?.state === 'paused';
  const up = now?.state === 'running';
  if (claim === 'up') return up;
  if (claim === 'down') return !up;
  const unhealthy = up && now.health === 'unhealthy';
  return claim === 'unhealthy' ? unhealthy : up && !unhealthy;
}
