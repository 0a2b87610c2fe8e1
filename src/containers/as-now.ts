import type { ContainerFact, FactOf } from '../model/container-fact.ts';
import { serviceKey } from '../model/service-key.ts';
import type { ContainerHealth } from '../model/snapshot.ts';
import { claimHolds, current } from './table.ts';
import type { State } from './types.ts';

type Outcome = FactOf<'redeployed'>['outcome'];

/** A fact with what it states of the present as it is when its message is written: it may have waited for others of its kind. */
export function asNow(state: State, fact: ContainerFact): ContainerFact {
  const info = current(state, serviceKey(fact.name))?.info;
  const isSick = claimHolds(state, fact.name, 'unhealthy');
  // `none`: nobody can see it.
  const health = (isSick === undefined ? undefined : info?.health) ?? 'none';
  if (fact.kind === 'stopped' && fact.next?.kind === 'no-restart') {
    const died = state.known.get(fact.death.id);
    if (died?.complete) return { ...fact, next: { ...fact.next, policy: died.info.restartPolicy || 'no' } };
  }
  if (fact.kind === 'malfunction' || fact.kind === 'restart-loop')
    return { ...fact, seen: { ...fact.seen, state: info?.state ?? fact.seen.state, health } };
  if (fact.kind === 'redeployed' || fact.kind === 'restarted')
    return { ...fact, outcome: outcomeNow(fact.outcome, health) };
  return fact;
}

function outcomeNow(outcome: Outcome, health: ContainerHealth): Outcome {
  if (outcome.kind !== 'unhealthy' && outcome.kind !== 'not-healthy-yet') return outcome;
  if (health === 'healthy' || health === 'unhealthy') return { kind: health };
  // Another one may have taken its place meanwhile, without a health check.
  return outcome.kind === 'not-healthy-yet' && health === 'starting' ? outcome : { kind: 'running' };
}
