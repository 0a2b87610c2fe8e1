import type { Config } from '../config/schema.ts';
import { EVERY_SUBJECT, type Finding } from '../model/finding.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { RULES } from './index.ts';
import { judgeLeftOff } from './left-off.ts';
import { judgeSources } from './source-failed.ts';
import type { Past } from './types.ts';

/**
 * Everything the rules say about a snapshot, fine values included. Pure. A rule whose source failed gives one `unknown`
 * for every subject it may have: that freezes its incidents. A rule whose source is absent gives nothing.
 */
export function judgeAll(snapshot: Snapshot, past: Past, config: Config): Finding[] {
  const context = { snapshot, past, config };
  const findings = Object.values(RULES).flatMap((rule): Finding[] => {
    const reading = snapshot.readings[rule.source];
    if (reading.state !== 'failed') return rule.judge(context);
    return [
      { rule: rule.id, subject: EVERY_SUBJECT, severity: 'warning', verdict: 'unknown', text: reading.why },
    ];
  });
  return [...findings, ...judgeSources(snapshot, past), ...judgeLeftOff(past, snapshot.at)];
}
