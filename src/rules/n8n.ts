import type { Finding } from '../model/finding.ts';
import { formatCount, plain } from '../model/text.ts';
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

/** Two checks of 30 s after the first one: a restart of n8n is no alarm. */
const UNHEALTHY_HOLD_MS = 55_000;
const UNHEALTHY_CRITICAL_SEC = 300;

/** n8n does not answer, or says that it is not healthy, while its database and queue can be read. */
export const n8nHealth = rule('n8n-health', 'n8n', ({ healthy, unhealthyForSec = 0, problems = [] }) => {
  if (healthy === undefined) return [];
  const why = problems.find((problem) => problem.startsWith('health: '))?.slice('health: '.length);
  const finding: Finding = {
    rule: 'n8n-health',
    subject: 'n8n',
    severity: unhealthyForSec >= UNHEALTHY_CRITICAL_SEC ? 'critical' : 'warning',
    verdict: healthy ? 'ok' : 'breach',
    holdMs: UNHEALTHY_HOLD_MS,
    text: healthy ? 'n8n is healthy' : `n8n is not healthy${why === undefined ? '' : `: ${plain(why, 200)}`}`,
  };
  if (!healthy)
    finding.details = ['Its webhooks and its editor do not answer; `docker logs` of n8n tells more'];
  return [finding];
});
