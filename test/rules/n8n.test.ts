import { expect, test } from 'vitest';
import type { N8nValues } from '../../src/model/snapshot.ts';
import { AT, judged, judgedOne, ok, short } from './judge.ts';

const executions = { active: 3, waiting: 0, completed: 0, failed: 0, queued: 0, canceled: 0 };
const n8n = (values: Partial<N8nValues>) => ({ n8n: ok<N8nValues>({ executions, ...values }) });

test.each([
  [0, 'ok'],
  [399, 'ok'],
  [400, 'between'],
  [500, 'between'],
  [501, 'warning'],
  [1000, 'warning'],
  [1001, 'critical'],
])('%d jobs: %s', (queueDepth, expected) => {
  expect(short(judgedOne('n8n-queue', n8n({ queueDepth })))).toBe(expected);
});

test('says how many wait and how many run', () => {
  const finding = judgedOne('n8n-queue', n8n({ queueDepth: 1500 }));
  expect(finding).toMatchObject({ subject: 'n8n', value: 1500, limit: 1000, unit: 'count' });
  expect(finding.text).toBe('1,500 jobs wait in the n8n queue, more than 1,000');
  expect(finding.details).toEqual(['Executions running: 3']);
});

test('executions that could not be read are left out', () => {
  const finding = judgedOne('n8n-queue', { n8n: ok<N8nValues>({ queueDepth: 1500 }) });
  expect(finding.details).toBeUndefined();
});

test('not in queue mode: nothing to judge', () => {
  expect(judged('n8n-queue', n8n({}))).toEqual([]);
});

test('a queue that could not be read this time is not an empty one', () => {
  expect(judgedOne('n8n-queue', n8n({ problems: ['Redis does not answer'] })).verdict).toBe('unknown');
});

test('A6: n8n that does not answer is a warning, and critical after five minutes', () => {
  const sick = (unhealthyForSec: number) =>
    judgedOne(
      'n8n-health',
      n8n({ healthy: false, unhealthyForSec, problems: ['health: n8n at x:5678 answered 503 to /healthz'] }),
    );
  expect(short(sick(0))).toBe('warning');
  expect(sick(0)).toMatchObject({
    holdMs: 55_000,
    text: 'n8n is not healthy: n8n at x:5678 answered 503 to /healthz',
  });
  expect(short(sick(299))).toBe('warning');
  expect(short(sick(300))).toBe('critical');
  expect(short(judgedOne('n8n-health', n8n({ healthy: true })))).toBe('ok');
});

const MINUTE = 60_000;
const waits = { depth: 1209, waiting: 1209, running: 0, workers: 0, oldestAt: AT - 10 * MINUTE };

test('A8, A18: jobs that no worker takes are said first and alone, critical after five minutes', () => {
  const idle = n8n({ queueDepth: 1209, queue: waits });
  const finding = judgedOne('n8n-workers', idle);
  expect(short(finding)).toBe('critical');
  expect(finding).toMatchObject({ holdMs: 55_000, value: 1209 });
  expect(finding.text).toMatch(/^No worker takes jobs of n8n: 1,209 wait since /);
  expect(judgedOne('n8n-queue', idle).verdict).toBe('unknown');
  const young = { ...waits, oldestAt: AT - MINUTE };
  expect(short(judgedOne('n8n-workers', n8n({ queueDepth: 1209, queue: young })))).toBe('warning');
});

test.each([
  [{ ...waits, workers: 2 }, /^2 workers are connected, and none takes jobs/, /^Restart the worker/],
  [{ ...waits, workers: undefined }, /^No worker takes jobs/, /^Start the worker/],
  [{ ...waits, paused: true as const }, /^n8n's queue is paused/, /^Somebody paused/],
])('A8: %j', (queue, text, advice) => {
  const { workers, ...rest } = queue;
  const given = workers === undefined ? rest : { ...rest, workers };
  const finding = judgedOne('n8n-workers', n8n({ queueDepth: 1209, queue: given }));
  expect(finding.text).toMatch(text);
  expect(finding.details?.at(-1)).toMatch(advice);
});

test('A8: jobs that run, or an empty queue, are no trouble of the workers', () => {
  for (const queue of [
    { ...waits, running: 1 },
    { depth: 3, waiting: 0 },
    { depth: 0, waiting: 0 },
  ])
    expect(judgedOne('n8n-workers', n8n({ queueDepth: 3, queue })).verdict).toBe('ok');
  expect(judged('n8n-workers', n8n({}))).toEqual([]);
});

test('A19: who has filled the queue, and for how long the oldest job waits', () => {
  const queuedBy = [
    { workflow: 'Import', count: 1100 },
    { workflow: 'Mail', count: 300 },
  ];
  const queue = { ...waits, running: 5, oldestAt: AT - 90 * MINUTE };
  expect(judgedOne('n8n-queue', n8n({ queueDepth: 1500, queue, queuedBy })).details).toEqual([
    'Most are of Import (1,100), Mail (300)',
    'The oldest waits for 1 h 30 min',
    'Executions running: 3',
  ]);
});

test('A10: executions whose job Redis has lost are named', () => {
  const queue = { depth: 0, waiting: 0 };
  const finding = judgedOne(
    'n8n-lost',
    n8n({ queueDepth: 0, queue, withoutJob: 23, withoutJobBy: [{ workflow: 'Import', count: 20 }] }),
  );
  expect(short(finding)).toBe('warning');
  expect(finding.details?.[0]).toBe('Most are of Import (20)');
  expect(finding.text).toMatch(/^23 executions of n8n are queued without a job in Redis/);
  expect(judgedOne('n8n-lost', n8n({ queueDepth: 0, queue })).verdict).toBe('ok');
});

test.each([
  [10, 4, 'between'],
  [10, 3, 'ok'],
  [10, 5, 'warning'],
  [10, 9, 'critical'],
  [9, 9, 'ok'],
  [0, 0, 'ok'],
])('of %d executions %d failed: %s', (finished, failed, expected) => {
  const failures = { windowMin: 60, finished, failed, streaks: [] };
  expect(short(judgedOne('n8n-failures', n8n({ failures })))).toBe(expected);
});

test('a workflow that fails again and again is named; both can be switched off', () => {
  const failures = {
    windowMin: 60,
    finished: 100,
    failed: 5,
    streaks: [{ workflow: 'Orders', count: 5, since: AT - 10 * MINUTE }],
  };
  const [, streak] = judged('n8n-failures', n8n({ failures }));
  expect(streak).toMatchObject({ severity: 'warning', verdict: 'breach', value: 5, alias: 'n8n' });
  expect(streak?.text).toMatch(/^Workflow Orders failed 5 times in a row, since /);
  const again = { ...failures, streaks: [{ workflow: 'Orders', count: 0, since: 0 }] };
  expect(judged('n8n-failures', n8n({ failures: again }))[1]).toMatchObject({
    verdict: 'ok',
    text: 'Workflow Orders succeeds again',
  });
  const off = { settings: { N8N_FAILURE_STREAK: 0, N8N_FAILURE_PCT: 0 } };
  expect(judged('n8n-failures', n8n({ failures }), off)).toEqual([]);
  expect(judged('n8n-failures', n8n({}))).toEqual([]);
});

test('A7: a key that ends is said a week before', () => {
  const of = (days: number) => judgedOne('n8n-key', n8n({ keyExpiresAt: AT + days * 86_400_000 }));
  expect([short(of(8)), short(of(6)), short(of(-1))]).toEqual(['ok', 'warning', 'warning']);
  expect(of(-1).text).toMatch(/^The API key of n8n has ended/);
});

test('A7: what of n8n cannot be read is a failed source of its own, with what it costs', () => {
  const problems = [
    'key: n8n at x:5678 refuses the API key (401: wrong)',
    'queue: Redis asks for a password',
  ];
  const findings = judged('source-failed', n8n({ problems })).filter((f) => f.verdict === 'breach');
  expect(findings).toMatchObject([
    { subject: 'n8n queue', holdMs: 55_000, text: "n8n's queue cannot be used: Redis asks for a password" },
    {
      subject: 'n8n key',
      severity: 'warning',
      details: ['Recovery cannot pause workflows, nor bring back what it has paused'],
    },
  ]);
});
