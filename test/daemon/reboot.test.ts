import { describe, expect, it } from 'vitest';
import { cleanBoot, isRebooting, judgeReboot, LastAlive } from '../../src/daemon/reboot.ts';
import { recall } from '../../src/store/memory.ts';
import { openStore } from '../../src/store/open.ts';
import { startDaemon } from '../helpers/daemon.ts';
import { startTelegram } from '../standins/telegram.js';
import type { HostValues } from '../../src/model/snapshot.ts';

const now = Date.parse('2026-01-31T10:00:00Z');
const host = { bootId: 'new', uptimeSec: 60 } as HostValues;
const before: LastAlive = {
  at: now - 600_000,
  bootId: 'old',
  stopped: false,
  lastValues: ['memory 12 MB of 987 MB available'],
};

describe('judgeReboot', () => {
  it('tells how long the host was away and what was last seen', () => {
    const finding = judgeReboot(before, host, now);
    expect(finding).toMatchObject({
      rule: 'unclean-reboot',
      severity: 'critical',
      verdict: 'event',
      once: 'reboot:new',
    });
    expect(finding?.text).toContain('9 min later');
    expect(finding?.details).toEqual(['Last seen values:', 'memory 12 MB of 987 MB available']);
  });
  it.each([
    ['the first start ever', undefined, host],
    ['a restart of the monitor alone', { ...before, bootId: 'new' }, host],
    ['a reboot that stopped the monitor first', { ...before, stopped: true }, host],
    ['a boot id that was never read', { ...before, bootId: '' }, host],
    ['a host that cannot be read', before, undefined],
  ] as [string, LastAlive | undefined, HostValues | undefined][])('is silent about %s', (_, last, values) => {
    expect(judgeReboot(last, values, now)).toBeUndefined();
  });
});

describe('U7: a clean reboot', () => {
  it('is one, too, where the monitor had no time to end in an orderly way', async () => {
    const telegram = await startTelegram();
    telegram.always('hang');
    const daemon = await startDaemon({ DOCKER_HOST: 'unix:///nonexistent/d.sock', ...telegram.settings });
    try {
      // After a second signal it leaves at once, in the middle of sending what waits.
      process.kill(daemon.pid, 'SIGINT');
      await daemon.stop('SIGTERM');
      const store = openStore(daemon.stateDir, Date.now());
      expect(recall(store.db, 'last-alive', LastAlive)?.stopped).toBe(true);
      store.close();
    } finally {
      await daemon.remove();
      await telegram.close();
    }
  });
  const last = { at: 1_000_000, bootId: 'a', stopped: true, lastValues: [] };
  it('is one after an orderly stop, with another boot id', () => {
    expect(cleanBoot(last, { bootId: 'b', uptimeSec: 20 }, 2_000_000)).toBe(1_980_000);
    expect(cleanBoot(last, { bootId: 'a', uptimeSec: 20 }, 2_000_000)).toBeUndefined();
    expect(cleanBoot({ ...last, stopped: false }, { bootId: 'b', uptimeSec: 20 }, 2_000_000)).toBeUndefined();
    expect(cleanBoot(undefined, { bootId: 'b', uptimeSec: 20 }, 2_000_000)).toBeUndefined();
  });

  it.each([
    ['  12 reboot.target  start waiting\n  13 x.service stop running\n', true],
    ['  12 poweroff.target start waiting\n', false],
    ['  12 vps-monitor.service restart running\n', false],
    ['', false],
  ])('is seen coming in the jobs of systemd: %j', async (stdout, expected) => {
    expect(await isRebooting(() => Promise.resolve({ exitCode: 0, stdout, stderr: '' }))).toBe(expected);
    expect(await isRebooting(() => Promise.reject(new Error('none')))).toBe(false);
  });
});
