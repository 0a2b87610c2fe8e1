import type { OpenCondition } from '../model/container-fact.ts';
import type { Incident } from '../model/incident.ts';

const CONDITION_OF: Record<string, OpenCondition['condition']> = {
  'container-stopped': 'stopped',
  'container-unhealthy': 'unhealthy',
  'container-malfunction': 'malfunction',
  'restart-loop': 'restart-loop',
  'service-missing': 'missing',
};

/** The conditions of open incidents about containers, for a monitor that starts; those that come and go and are fine at the moment are left out. */
export function conditionsOf(open: readonly Incident[]): OpenCondition[] {
  return open.flatMap((incident): OpenCondition[] => {
    const { rule, subject, alias, state, event, okSince, spells, openedAt, fact } = incident;
    const condition = CONDITION_OF[rule];
    if (!condition || event || state !== 'firing' || okSince !== undefined) return [];
    const how =
      fact?.kind === 'paused'
        ? 'paused'
        : fact?.kind === 'stopped' && fact.next?.kind === 'keeps-trying'
          ? 'policy'
          : undefined;
    const since = spells?.since ?? openedAt;
    return [
      {
        condition,
        name: subject,
        since,
        ...(alias === undefined ? {} : { service: alias }),
        ...(how ? { how } : {}),
      },
    ];
  });
}
