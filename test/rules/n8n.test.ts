import { expect, test } from 'vitest';
import type { N8nValues } from '../../src/model/snapshot.ts';
import { judged, judgedOne, ok, short } from './judge.ts';

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
