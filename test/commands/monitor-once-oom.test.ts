import { expect, it } from 'vitest';
import { judgeOnce } from '../../src/commands/monitor-once.ts';
import type { OomKill } from '../../src/model/snapshot.ts';
import { testConfig } from '../helpers/recovery-deps.ts';
import { emptySnapshot } from '../helpers/snapshots.ts';

const AT = 1_768_392_000_000;
const kill = (ago: number): OomKill => ({
  id: `b00t:${ago}`,
  at: AT - ago,
  process: 'node',
  pid: 7,
  rssBytes: 1,
  cgroup: '',
  scope: 'host',
});

it('A12: a kill of the last hour is a warning for who looks once, an older one is not', () => {
  const judge = (ago: number) =>
    judgeOnce(
      { config: testConfig() },
      emptySnapshot(AT, { oom: { state: 'ok', tookMs: 1, value: { kills: [kill(ago)] } } }),
    ).filter(({ rule }) => rule === 'oom-kill');
  expect(judge(36_000)).toMatchObject([{ severity: 'warning', verdict: 'event' }]);
  expect(judge(59 * 60_000)).toHaveLength(1);
  expect(judge(61 * 60_000)).toEqual([]);
});
