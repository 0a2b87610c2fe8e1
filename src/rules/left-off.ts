import { EVERY_SUBJECT, type Finding } from '../model/finding.ts';
import { LEFT_OFF_KINDS, leftOffDetails, leftOffText, type LeftOff } from '../model/left-off.ts';
import type { Past } from './types.ts';

/** It may be on again, removed, or meant to stay off. */
const OVER = {
  workflow: 'No workflow is off any more because of recovery',
  container: 'No container is off any more because of recovery',
  limit: 'No memory limit is higher any more because of recovery',
} as const;

const SUBJECTS = { workflow: 'workflows', container: 'containers', limit: 'memory-limits' } as const;

/**
 * What recovery switched off is an incident until it is as it was. Recovery reports itself what it does and what came back, so the
 * start and the end are quiet; that it lasts is repeated like everything else. Needs no source, so it is judged in every check.
 */
export function judgeLeftOff({ leftOff }: Past, now: number): Finding[] {
  const about = { rule: 'left-off', severity: 'warning', quiet: true } as const;
  if (leftOff === undefined)
    return [
      {
        ...about,
        subject: EVERY_SUBJECT,
        verdict: 'unknown',
        text: 'What recovery has left off is not known',
      },
    ];
  return LEFT_OFF_KINDS.map((kind) => judgeKind(leftOff, kind, now));

  function judgeKind(all: readonly LeftOff[], kind: LeftOff['kind'], at: number): Finding {
    const text = leftOffText(all, kind, at);
    const of = {
      ...about,
      subject: SUBJECTS[kind],
      ...(kind === 'workflow' ? { alias: 'n8n' } : {}),
      // A higher limit harms nobody.
      ...(kind === 'limit' ? { severity: 'info' as const } : {}),
    };
    if (text === undefined) return { ...of, verdict: 'ok', text: OVER[kind] };
    const value = all.filter((one) => one.kind === kind).length;
    return { ...of, verdict: 'breach', value, unit: 'count', text, details: leftOffDetails(all, kind) };
  }
}
