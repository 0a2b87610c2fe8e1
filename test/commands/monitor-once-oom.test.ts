import { expect, it } from 'vitest';
import { judgeOnce } from '../../src/commands/monitor-once.ts';
import type { OomKill } from '../../src/model/snapshot.ts';
import { testConfig } from '../helpers/recovery-deps.ts';
import type { Incident } from '../../src/model/incident.ts';
import { fullSnapshot } from '../helpers/full-snapshot.ts';
import { incidentOf } from '../helpers/incident.ts';
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

it('A12, U8: a kill of the last hour is a warning for who looks once, an older one is not', () => {
  const judge = (ago: number) =>
    judgeOnce(
      { config: testConfig() },
      emptySnapshot(AT, { oom: { state: 'ok', tookMs: 1, value: { kills: [kill(ago)] } } }),
    ).filter(({ rule }) => rule === 'oom-kill');
  expect(judge(36_000)).toMatchObject([{ severity: 'warning', verdict: 'event' }]);
  expect(judge(59 * 60_000)).toHaveLength(1);
  expect(judge(61 * 60_000)).toEqual([]);
});

it('A12: where no log dates the kills, the monitor does, or the boot', () => {
  const judge = (upSec: number, killsSinceBoot: number, kept: Incident[] = []) => {
    const { host } = fullSnapshot(AT).readings;
    const up = host.state === 'ok' ? { ...host, value: { ...host.value, uptimeSec: upSec } } : host;
    const oom = { kills: [], killsSinceBoot, logUnreadable: 'it needs root' };
    const snapshot = emptySnapshot(AT, { host: up, oom: { state: 'ok', tookMs: 1, value: oom } });
    return judgeOnce({ config: testConfig() }, snapshot, [], kept).filter(({ rule }) => rule === 'oom-kill');
  };
  expect(judge(600, 2)).toMatchObject([
    { severity: 'warning', text: expect.stringMatching(/2 kills since the boot 10 min ago/) },
  ]);
  expect(judge(600, 0)).toEqual([]);
  expect(judge(7200, 2)).toEqual([]);
  const incident = (ago: number) =>
    incidentOf({
      rule: 'oom-kill',
      subject: 'web',
      event: true,
      lastSeenAt: AT - ago,
      text: 'Out of memory: web',
    });
  expect(judge(7200, 2, [incident(36_000)])).toMatchObject([{ subject: 'web', severity: 'warning' }]);
  expect(judge(7200, 2, [incident(3_700_000)])).toEqual([]);
});

it('U8: what is killed again and again is one line: who, how often, when last', () => {
  const inContainer = (name: string, ago: number): OomKill => ({
    ...kill(ago),
    id: `${name}:${ago}`,
    containerName: name,
    scope: 'container',
  });
  const judge = (kills: OomKill[]) =>
    judgeOnce(
      { config: testConfig() },
      emptySnapshot(AT, { oom: { state: 'ok', tookMs: 1, value: { kills } } }),
    ).filter(({ rule }) => rule === 'oom-kill');
  const many = Array.from({ length: 23 }, (_, at) => inContainer('web', at * 60_000));
  const lines = judge([...many, inContainer('cron', 5000)]);
  expect(lines.map(({ severity }) => severity)).toEqual(['warning', 'warning']);
  expect(lines[0]?.text).toMatch(/in container web.*; at \d\d:\d\d, the last of 23 kills since \d\d:\d\d$/);
  expect(lines[1]?.text).not.toContain('kills since');
  const crowd = judge(Array.from({ length: 30 }, (_, at) => inContainer(`c${at % 10}`, at * 1000)));
  expect(crowd).toHaveLength(6);
  expect(crowd.at(-1)?.text).toBe(
    'Out of memory: 15 more kills in the last hour: c5 (3), c6 (3), c7 (3), c8 (3), c9 (3)',
  );
});
