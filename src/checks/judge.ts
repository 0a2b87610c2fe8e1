import type { Config } from '../config/schema.ts';
import { EVERY_SUBJECT, type Finding } from '../model/finding.ts';
import type { RuleId } from '../model/rules.ts';
import { SOURCE_IDS, type Snapshot, type Source } from '../model/sources.ts';
import { judgeLeftOff } from '../rules/left-off.ts';
import { judgeSources } from '../rules/source-failed.ts';
import type { Context, Judge, Past } from '../rules/types.ts';
import { CHECKS } from './sources.ts';

/**
 * Everything the rules say about a snapshot, fine values included. Pure. A rule whose source failed gives one `unknown`
 * for every subject it may have: that freezes its incidents. A rule whose source is absent gives nothing.
 */
export function judgeAll(snapshot: Snapshot, past: Past, config: Config): Finding[] {
  const context = { snapshot, past, config };
  return [
    ...SOURCE_IDS.flatMap((source) => judgeSource(source, context)),
    ...judgeSources(snapshot, past),
    ...judgeLeftOff(past, snapshot.at),
  ];
}

function judgeSource<S extends Source>(source: S, context: Context): Finding[] {
  const reading = context.snapshot.readings[source];
  if (reading.state === 'absent') return [];
  const rules = Object.entries(CHECKS[source].rules) as [RuleId, Judge<S>][];
  return rules.flatMap(([rule, judge]): Finding[] => {
    if (reading.state === 'ok') return judge(reading.value, context);
    return [{ rule, subject: EVERY_SUBJECT, severity: 'warning', verdict: 'unknown', text: reading.why }];
  });
}
