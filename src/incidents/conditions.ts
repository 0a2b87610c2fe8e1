import type { OpenCondition } from '../model/container-fact.ts';
import { defined } from '../model/defined.ts';
import { conditionOfRule, howOf } from '../model/fact-rules.ts';
import type { Incident } from '../model/incident.ts';

/** The conditions of open incidents about containers, for a monitor that starts; those that come and go and are fine at the moment are left out. */
export function conditionsOf(open: readonly Incident[]): OpenCondition[] {
  return open.flatMap((incident): OpenCondition[] => {
    const { rule, subject: name, alias: service, state, event, okSince, spells, openedAt, fact } = incident;
    const condition = conditionOfRule(rule);
    if (!condition || event || state !== 'firing' || okSince !== undefined) return [];
    const since = spells?.since ?? openedAt;
    return [{ condition, name, since, ...defined({ service, how: howOf(fact) }) }];
  });
}
