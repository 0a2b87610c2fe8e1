import type { Finding } from '../model/finding.ts';
import { formatCount } from '../model/text.ts';
import { levelOf } from './level.ts';
import { rule } from './types.ts';

export const n8nQueue = rule('n8n-queue', 'n8n', ({ queueDepth, executions, problems }, { config }) => {
  const about = { rule: 'n8n-queue', subject: 'n8n', unit: 'count' } as const;
  if (queueDepth === undefined) {
    // Not in queue mode: there is no queue to judge. Something could not be read: perhaps the queue.
    if (!problems || problems.length === 0) return [];
    return [{ ...about, severity: 'warning', verdict: 'unknown', text: 'The n8n queue cannot be read' }];
  }
  const { settings } = config;
  const level = levelOf(queueDepth, {
    bad: 'above',
    warning: settings.N8N_QUEUE_WARNING,
    critical: settings.N8N_QUEUE_CRITICAL,
    clear: settings.N8N_QUEUE_CLEAR,
  });
  const waiting = `${formatCount(queueDepth)} ${queueDepth === 1 ? 'job waits' : 'jobs wait'} in the n8n queue`;
  const finding: Finding = {
    ...about,
    ...level,
    value: queueDepth,
    text: level.verdict === 'breach' ? `${waiting}, more than ${formatCount(level.limit)}` : waiting,
  };
  if (level.verdict === 'breach' && executions) {
    finding.details = [`Executions running: ${formatCount(executions.active)}`];
  }
  return [finding];
});
