import { describe, expect, test } from 'vitest';
import type { ContainerInfo, OomKill } from '../../src/model/snapshot.ts';
import { containerInfo, hostValues } from '../helpers/snapshots.ts';
import { AT, judged, MB, ok, type Given } from './judge.ts';

const ID = 'n8n'.padEnd(64, '0');
const kill: OomKill = {
  id: 'boot:453',
  at: AT - 1000,
  process: 'node',
  pid: 3087,
  rssBytes: 498 * MB,
  cgroup: `/docker/${ID}`,
  scope: 'container',
  containerId: ID,
  containerName: 'n8n',
  limitBytes: 512 * MB,
};

function judge(kills: OomKill[], containers: ContainerInfo[] = [containerInfo('n8n')], given: Given = {}) {
  const docker = ok({ version: '28', apiVersion: '1.48', containers });
  return judged('oom-kill', { oom: ok({ kills }), docker, host: ok(hostValues()) }, given);
}
function fate(container: Partial<ContainerInfo>, more: Partial<OomKill> = {}): string {
  return judge([{ ...kill, ...more }], [containerInfo('n8n', container)])[0]!.details![0]!;
}

describe('oom-kill', () => {
  test('an event, told once, with container, process, pid, memory and limit', () => {
    const [finding] = judge([kill], [containerInfo('n8n', { service: 'automation' })]);
    expect(finding).toMatchObject({
      rule: 'oom-kill',
      subject: 'n8n',
      alias: 'automation',
      severity: 'critical',
      verdict: 'event',
      once: 'boot:453',
      at: AT - 1000,
      cause: `oom:${ID}`,
      value: 498 * MB,
      limit: 512 * MB,
      unit: 'bytes',
    });
    expect(finding!.text).toBe(
      'Out of memory: the kernel killed node (pid 3087) in container n8n, which held 498 MB; its memory limit is 512 MB',
    );
  });

  test('kills from before the first start are history', () => {
    const old = { ...kill, id: 'boot:1', at: 5000 };
    expect(judge([old, kill], undefined, { past: { historyStart: 5000 } }).map((f) => f.once)).toEqual([
      'boot:453',
    ]);
  });

  test('the whole server out of memory', () => {
    const { limitBytes: _, containerId: __, containerName: ___, ...host } = kill;
    const [finding] = judge([
      { ...host, scope: 'host', cgroup: '/system.slice/ssh.service', process: 'sshd' },
    ]);
    expect(finding!.subject).toBe('host');
    expect(finding!.text).toBe(
      'Out of memory: the kernel killed sshd (pid 3087), which held 498 MB; the whole server was out of memory',
    );
    expect(finding!.details![0]).toContain('Largest containers: n8n 120 MB');
  });

  test('a cgroup that is no container', () => {
    const { limitBytes: _, containerId: __, containerName: ___, ...rest } = kill;
    const [finding] = judge([{ ...rest, scope: 'cgroup', cgroup: '/system.slice/backup.service' }]);
    expect(finding!.subject).toBe('/system.slice/backup.service');
    expect(finding!.text).toContain('; the memory limit of /system.slice/backup.service was reached');
  });

  test('a kill of which only the counter knows', () => {
    const unknown = { ...kill, process: 'unknown', pid: 0, rssBytes: 0, scope: 'unknown' as const };
    const { limitBytes: _, containerId: __, containerName: ___, ...rest } = unknown;
    const [finding] = judge([rest]);
    // It may have been a group of somebody else: nobody said that the server was out of memory.
    expect(finding!.text).toBe(
      'Out of memory: the kernel killed a process; only its counter shows it, so it is not known which one and why',
    );
    expect(finding!.subject).toBe('host');
    expect(finding!.value).toBeUndefined();
  });

  test('says why the kernel log cannot tell more, and what to do', () => {
    const { limitBytes: _, containerId: __, containerName: ___, ...rest } = kill;
    const logUnreadable = 'the kernel log may not be read: that needs root or the capability CAP_SYSLOG';
    const unknown: OomKill = { ...rest, process: 'unknown', pid: 0, rssBytes: 0, scope: 'unknown' };
    const [finding] = judged('oom-kill', {
      oom: ok({ kills: [unknown], logUnreadable }),
      host: ok(hostValues()),
    });
    expect(finding!.details![0]).toBe(
      'The kernel log may not be read: that needs root or the capability CAP_SYSLOG',
    );
  });

  test('hostile process and container names are plain', () => {
    const [finding] = judge([{ ...kill, process: 'a\u001b[2Jb\n(c)', containerName: 'x\u202ey' }], []);
    expect(finding!.text).toContain('killed ab (c) (pid 3087) in container xy');
  });

  test('the container is found by name where the kernel knew no id', () => {
    const { containerId: _, ...rest } = kill;
    expect(judge([rest])[0]!.details![0]).toContain('n8n');
  });
});

describe('what becomes of the container', () => {
  const before = AT - 600_000;
  test.each<[string, Partial<ContainerInfo>, string]>([
    [
      'read before the kill, restart policy',
      { state: 'running', startedAt: before, restartPolicy: 'always', restartCount: 2 },
      'If that ends n8n, Docker restarts it (restart policy always, 2 restarts so far)',
    ],
    [
      'read before the kill, no policy',
      { state: 'running', startedAt: before, restartPolicy: 'no' },
      'If that ends n8n, it stays stopped: it has no restart policy',
    ],
    [
      'read before the kill, on-failure',
      { state: 'running', startedAt: before, restartPolicy: 'on-failure:3' },
      'If that ends n8n, Docker restarts it as often as its restart policy on-failure:3 allows',
    ],
    [
      'started again',
      { state: 'running', startedAt: AT - 500, restartPolicy: 'unless-stopped', restartCount: 1 },
      'n8n was started again (restart policy unless-stopped, 1 restart so far)',
    ],
    [
      'killed just after its start, which is no start after the kill',
      { state: 'running', startedAt: AT - 1300, restartPolicy: '' },
      'If that ends n8n, it stays stopped: it has no restart policy',
    ],
    [
      'stopped',
      { state: 'exited', finishedAt: AT - 900, restartPolicy: '' },
      'n8n is stopped and stays so: it has no restart policy',
    ],
    [
      'restarting',
      { state: 'restarting', finishedAt: AT - 900, restartPolicy: 'always' },
      'If that ends n8n, Docker restarts it (restart policy always, 0 restarts so far)',
    ],
  ])('%s', (_name, container, expected) => {
    expect(fate(container)).toBe(expected);
  });

  test('still running minutes later: only a process of it was killed', () => {
    const at = AT - 300_000;
    expect(fate({ state: 'running', startedAt: AT - 600_000 }, { at })).toBe(
      'n8n goes on running: only one of its processes was killed',
    );
  });

  test('removed', () => {
    expect(judge([kill], [])[0]!.details![0]).toBe('n8n is not there any more');
  });

  test('who holds memory now is not told about a kill of long ago', () => {
    expect(judge([{ ...kill, at: AT - 300_000 }])[0]!.details).toHaveLength(1);
  });
});

describe('whose memory ran out', () => {
  const text = (more: Partial<OomKill>) => judge([{ ...kill, ...more }])[0]!.text;
  const KILLED = 'the kernel killed node (pid 3087) in container n8n, which held 498 MB';

  test('N9: the limit of a slice that a container without a limit is in is named as what it is', () => {
    expect(text({ scope: 'cgroup', limitedCgroup: '/shop.slice', limitBytes: 1024 * MB })).toBe(
      `Out of memory: ${KILLED}; the memory limit of /shop.slice, 1 GB for all that is in it, was reached`,
    );
    const { limitBytes: _, ...unknown } = kill;
    expect(judge([{ ...unknown, scope: 'cgroup', cgroup: '' }])[0]!.text).toBe(
      `Out of memory: ${KILLED}; a memory limit was reached`,
    );
  });

  test('N15: asked for by hand', () => {
    const { limitBytes: _, ...host } = kill;
    expect(judge([{ ...host, scope: 'host', trigger: 'sysrq' }])[0]!.text).toBe(
      `Asked for by hand (SysRq f): ${KILLED}; memory had not run out by itself`,
    );
    expect(judge([{ ...host, scope: 'host', trigger: 'cpuset' }])[0]!.text).toContain(
      'not all of the server',
    );
    expect(judge([{ ...host, scope: 'host' }])[0]!.text).toContain('the whole server was out of memory');
  });
});
