import type { Finding } from '../model/finding.ts';
import { nobodyWorks } from '../model/snapshot.ts';
import { formatCount, formatMany, formatDuration, formatTime, plain } from '../model/text.ts';
import { levelOf } from './level.ts';
import type { Judge } from './types.ts';

export const n8nQueue: Judge<'n8n'> = (values, { config, snapshot }) => {
  const { queueDepth, queue, executions, queuedBy = [], problems } = values;
  const about = { rule: 'n8n-queue', subject: 'n8n', unit: 'count' } as const;
  if (queueDepth === undefined) {
    // Not in queue mode: there is no queue to judge. Something could not be read: perhaps the queue.
    if (!problems || problems.length === 0) return [];
    return [{ ...about, severity: 'warning', verdict: 'unknown', text: 'The n8n queue cannot be read' }];
  }
  // Jobs that nobody takes are their own incident, and the only one: a long queue is what follows from it.
  if (nobodyWorks(queue))
    return [{ ...about, severity: 'warning', verdict: 'unknown', text: 'No worker takes jobs of n8n' }];
  const { settings } = config;
  const level = levelOf(queueDepth, {
    bad: 'above',
    warning: settings.N8N_QUEUE_WARNING,
    critical: settings.N8N_QUEUE_CRITICAL,
    clear: settings.N8N_QUEUE_CLEAR,
  });
  const waiting = `${formatMany(queueDepth, 'job waits', 'jobs wait')} in the n8n queue`;
  const finding: Finding = {
    ...about,
    ...level,
    value: queueDepth,
    text: level.verdict === 'breach' ? `${waiting}, more than ${formatCount(level.limit)}` : waiting,
  };
  if (level.verdict === 'breach') {
    const details = [
      ...mostAreOf(queuedBy),
      ...(queue?.oldestAt === undefined
        ? []
        : [`The oldest waits for ${formatDuration(Math.max(0, snapshot.at - queue.oldestAt))}`]),
      ...(executions ? [`Executions running: ${formatCount(executions.active)}`] : []),
    ];
    if (details.length > 0) finding.details = details;
  }
  return [finding];
};

function mostAreOf(workflows: readonly { workflow: string; count: number }[]): string[] {
  if (workflows.length === 0) return [];
  const each = workflows.map(({ workflow, count }) => `${plain(workflow, 60)} (${formatCount(count)})`);
  return [`Most are of ${each.join(', ')}`];
}

/** Jobs wait for so long while none runs. */
const NO_WORKER_CRITICAL_MS = 300_000;

/** Jobs wait and none runs: the workers are gone, hang, or somebody has paused the queue. */
export const n8nWorkers: Judge<'n8n'> = ({ queue, queuedBy = [] }, { snapshot }) => {
  if (!queue) return [];
  const about = { rule: 'n8n-workers', subject: 'n8n', holdMs: UNHEALTHY_HOLD_MS } as const;
  if (!nobodyWorks(queue))
    return [{ ...about, severity: 'warning', verdict: 'ok', text: 'Jobs of n8n are taken' }];
  const { waiting, workers, oldestAt = snapshot.at, paused } = queue;
  const wait = `${formatMany(waiting, 'waits', 'wait')} since ${formatTime(oldestAt)}`;
  const severity = snapshot.at - oldestAt >= NO_WORKER_CRITICAL_MS ? 'critical' : 'warning';
  const what = paused
    ? "n8n's queue is paused"
    : workers
      ? `${workers === 1 ? 'A worker is' : `${workers} workers are`} connected, and none takes jobs of n8n`
      : 'No worker takes jobs of n8n';
  return [
    {
      ...about,
      severity,
      verdict: 'breach',
      value: waiting,
      unit: 'count',
      text: `${what}: ${wait}`,
      details: [
        ...mostAreOf(queuedBy),
        paused
          ? 'Somebody paused the whole queue; n8n itself never does'
          : `${workers ? 'Restart' : 'Start'} the worker (\`docker ps -a\`, \`docker logs\`): pausing workflows would help nothing`,
      ],
    },
  ];
};

/** n8n's database waits for executions of which Redis has lost the job: nothing will ever run them. */
export const n8nLost: Judge<'n8n'> = ({ queue, withoutJob = 0, withoutJobBy = [] }) => {
  if (!queue) return [];
  const about = { rule: 'n8n-lost', subject: 'n8n', severity: 'warning', holdMs: UNHEALTHY_HOLD_MS } as const;
  if (withoutJob === 0)
    return [{ ...about, verdict: 'ok', text: 'Every queued execution of n8n has its job' }];
  return [
    {
      ...about,
      verdict: 'breach',
      value: withoutJob,
      unit: 'count',
      text: `${formatMany(withoutJob, 'execution of n8n is', 'executions of n8n are')} queued without a job in Redis: nothing will run ${withoutJob === 1 ? 'it' : 'them'}`,
      details: [
        ...mostAreOf(withoutJobBy),
        'Redis lost the jobs: evicted, flushed, or restarted without its data. What they should have done has to be started again by hand',
      ],
    },
  ];
};

/** Too few to speak of a share. */
const FEWEST = 10;
/** Nearly everything fails. */
const NEARLY_ALL_PCT = 90;

/** Executions that fail: the share of all, and each workflow that fails again and again. */
export const n8nFailures: Judge<'n8n'> = ({ failures }, { config }) => {
  if (!failures) return [];
  const { N8N_FAILURE_STREAK, N8N_FAILURE_PCT } = config.settings;
  const about = { rule: 'n8n-failures', cause: 'n8n-failures' } as const;
  const findings: Finding[] = [];
  const { finished, failed, windowMin, streaks } = failures;
  const within = `in the last ${windowMin === 60 ? 'hour' : `${windowMin} minutes`}`;
  if (N8N_FAILURE_PCT > 0) {
    const percent = finished === 0 ? 0 : Math.round((failed / finished) * 100);
    const breach = finished >= FEWEST && percent >= N8N_FAILURE_PCT;
    findings.push({
      ...about,
      subject: 'n8n',
      severity: percent >= Math.max(NEARLY_ALL_PCT, N8N_FAILURE_PCT) ? 'critical' : 'warning',
      verdict: breach ? 'breach' : percent < N8N_FAILURE_PCT * 0.8 || finished < FEWEST ? 'ok' : 'between',
      value: percent,
      limit: N8N_FAILURE_PCT,
      unit: 'percent',
      text: `${formatCount(failed)} of ${formatCount(finished)} executions of n8n failed ${within} (${percent} %)`,
    });
  }
  if (N8N_FAILURE_STREAK === 0) return findings;
  for (const { workflow, count, since } of streaks) {
    const name = plain(workflow, 60);
    const streak = `Workflow ${name} failed ${formatMany(count, 'time', 'times in a row')}`;
    findings.push({
      ...about,
      subject: `workflow ${name}`,
      alias: 'n8n',
      severity: 'warning',
      verdict: count >= N8N_FAILURE_STREAK ? 'breach' : count === 0 ? 'ok' : 'between',
      value: count,
      limit: N8N_FAILURE_STREAK,
      unit: 'count',
      text: count === 0 ? `Workflow ${name} succeeds again` : `${streak}, since ${formatTime(since)}`,
      ...(count === 0
        ? {}
        : { details: ['n8n shows why under Executions; `N8N_FAILURE_STREAK` moves the limit'] }),
    });
  }
  return findings;
};

const KEY_DAYS = 7;

/** A key made in n8n's settings ends after 30 days unless somebody chose otherwise. */
export const n8nKey: Judge<'n8n'> = ({ keyExpiresAt }, { snapshot }) => {
  if (keyExpiresAt === undefined) return [];
  const leftMs = keyExpiresAt - snapshot.at;
  const breach = leftMs < KEY_DAYS * 86_400_000;
  const when = leftMs <= 0 ? 'has ended' : `ends in ${formatDuration(leftMs)}`;
  return [
    {
      rule: 'n8n-key',
      subject: 'n8n',
      severity: 'warning',
      verdict: breach ? 'breach' : 'ok',
      text: `The API key of n8n ${when} (${formatTime(keyExpiresAt)})`,
      ...(breach
        ? {
            details: [
              'Without it recovery cannot pause workflows or bring them back: make a new one in n8n (Settings, n8n API) and set N8N_API_KEY',
            ],
          }
        : {}),
    },
  ];
};

/** Two checks of 30 s after the first one: a restart of n8n is no alarm. */
const UNHEALTHY_HOLD_MS = 55_000;
const UNHEALTHY_CRITICAL_SEC = 300;

/** n8n does not answer, or says that it is not healthy, while its database and queue can be read. */
export const n8nHealth: Judge<'n8n'> = ({ healthy, unhealthyForSec = 0, problems = [] }) => {
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
    finding.details = ['Its webhooks and its editor do not answer; `docker logs` of n8n shows more'];
  return [finding];
};
