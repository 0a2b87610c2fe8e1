import { expect, test } from 'vitest';
import { judgeHealth } from '../../src/daemon/health.ts';
import type { Monitor } from '../../src/daemon/types.ts';

function monitorWith(docker: { state: string; why?: string }, open: unknown[], events?: string): Monitor {
  const readings = Object.fromEntries(
    ['host', 'pressure', 'oom', 'postgres', 'redis', 'n8n', 'waha', 'sql'].map((name) => [
      name,
      { state: 'absent' },
    ]),
  );
  const system = { clock: { now: () => 1e12, monotonic: () => 5000 } };
  return {
    system,
    state: {
      startedMonotonic: 0,
      lastCheckMonotonic: 0,
      lastTookMs: 4,
      checks: 1,
      snapshot: { at: 1e12 - 5000, readings: { ...readings, docker } },
    },
    config: { settings: { SERVICE_CHECK_INTERVAL: 30 } },
    store: {},
    pipeline: {
      trouble: () => undefined,
      open: () => open,
      counts: () => ({ info: 0, warning: 0, critical: open.length }),
    },
    delivery: { state: () => ({ waiting: 0, sentTotal: 3 }) },
    watcher: {
      counts: () => ({ monitored: 7 }),
      connected: () => open.length === 0,
      eventFailure: () => events,
    },
  } as unknown as Monitor;
}

test('S4: events that cannot be followed make it degraded, though Docker answers', () => {
  expect(judgeHealth(monitorWith({ state: 'ok' }, [], 'no answer within 5 s')).body).toMatchObject({
    status: 'degraded',
    reasons: ["Docker's events cannot be followed: no answer within 5 s"],
    docker_events: { state: 'failed', why: 'no answer within 5 s' },
  });
  const followed = (docker: { state: string; why?: string }, open: unknown[] = []) =>
    judgeHealth(monitorWith(docker, open)).body.docker_events;
  expect(followed({ state: 'ok' })).toEqual({ state: 'ok', why: null });
  expect(followed({ state: 'failed', why: 'no answer' }, [GONE])).toEqual({
    state: 'failed',
    why: 'no answer',
  });
  expect(followed({ state: 'ok' }, [GONE])).toEqual({ state: 'failed', why: 'Docker does not answer' });
  expect(followed({ state: 'absent', why: 'no socket' }, [GONE])).toEqual({
    state: 'absent',
    why: 'no socket',
  });
});

const GONE = { rule: 'docker-gone', state: 'firing', severity: 'critical', text: 'Docker does not answer' };

test('a Docker that is gone is a reason at once, whatever the last check saw', () => {
  expect(judgeHealth(monitorWith({ state: 'ok' }, []))).toMatchObject({
    status: 200,
    body: { status: 'healthy', reasons: [], docker_connected: true },
  });
  expect(judgeHealth(monitorWith({ state: 'ok' }, [GONE]))).toMatchObject({
    status: 200,
    body: { status: 'degraded', reasons: ['Docker does not answer'], docker_connected: false },
  });
});

test('it is one reason, also where the last check missed it', () => {
  const monitor = monitorWith({ state: 'failed', why: 'no answer' }, [GONE]);
  expect(judgeHealth(monitor).body.reasons).toEqual(['docker cannot be read: no answer']);
});

test('where there is no Docker nothing is wrong', () => {
  expect(judgeHealth(monitorWith({ state: 'absent', why: 'not installed' }, [])).body.status).toBe('healthy');
});
