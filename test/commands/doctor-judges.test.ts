import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Discovered } from '../../src/model/targets.ts';
import { judgeProblems } from '../../src/doctor/config.ts';
import { refusalAdvice } from '../../src/doctor/delivery.ts';
import { describeEngine, judgeDockerError } from '../../src/doctor/docker.ts';
import { judgeCgroups, judgeDisk, judgeKernelLog, judgeNode, judgePressure } from '../../src/doctor/host.ts';
import { judgeMachine } from '../../src/doctor/machine.ts';
import { judgeSources } from '../../src/doctor/sources.ts';
import { judgeStateFolder, judgeTextfile } from '../../src/doctor/state.ts';
import { hostFiles } from '../../src/system/files.ts';
import type { RedisValues } from '../../src/model/snapshot.ts';
import type { Readings } from '../../src/model/sources.ts';
import { emptySnapshot } from '../helpers/snapshots.ts';

const MB = 1_048_576;
const error = (code: string) => Object.assign(new Error(code), { code });

it('names a mistake of the settings as `config check` does', () => {
  const about = { level: 'warning', file: '/etc/x.conf', line: 2 } as const;
  const text = (key: string, problem: string) => judgeProblems([{ ...about, key, text: problem }])[0]!.text;
  expect(text('LOG_LEVL', 'is not a setting')).toBe('/etc/x.conf:2: LOG_LEVL is not a setting');
  expect(text('LOG_LEVEL', 'expected INFO')).toBe('/etc/x.conf:2: LOG_LEVEL: expected INFO');
});

describe('disk', () => {
  const disk = {
    path: '/var/lib/vpsmon',
    totalBytes: 20_000 * MB,
    inodesTotal: 1_000_000,
    inodesFree: 500_000,
  };
  it.each([
    [8000 * MB, 'ok'],
    [900 * MB, 'warning'],
    [5 * MB, 'failed'],
  ])('%d bytes free', (freeBytes, state) => expect(judgeDisk({ ...disk, freeBytes }).state).toBe(state));
  it('no inodes', () => {
    const line = judgeDisk({ ...disk, freeBytes: 8000 * MB, inodesFree: 3 });
    expect(line).toMatchObject({ state: 'failed', advice: expect.stringContaining('--inodes') });
  });
});

describe('state folder', () => {
  it.each([
    ['EACCES', 'may not be written by this user', 'sudo'],
    ['EROFS', 'mounted read-only', 'remount,rw'],
    ['ENOSPC', 'on a disk that is full', 'df -h'],
    ['EIO', 'cannot be written (EIO)', 'dmesg'],
  ])('%s', (code, text, advice) => {
    const line = judgeStateFolder('/var/lib/vpsmon', error(code), true);
    expect(line.state).toBe('failed');
    expect(line.text).toContain(text);
    expect(line.advice).toContain(advice);
  });
});

describe('docker', () => {
  it('a socket that this user may not use', () => {
    const line = judgeDockerError(error('EACCES'), '/var/run/docker.sock', true);
    expect(line).toMatchObject({ state: 'failed', advice: expect.stringContaining('usermod -aG docker') });
  });
  it('is missing where nobody installed it: no failure', () => {
    expect(judgeDockerError(error('ENOENT'), '/var/run/docker.sock', false).state).toBe('warning');
  });
});

describe('node', () => {
  it.each([
    ['18.19.0', 'failed'],
    ['20.18.3', 'failed'],
    ['20.19.0', 'ok'],
    ['24.1.0', 'ok'],
  ])('%s', (version, state) => expect(judgeNode(version, '/usr/bin/node').state).toBe(state));
});

describe('textfile', () => {
  it('old or missing', () => {
    expect(judgeTextfile('/x.prom', undefined, 0).state).toBe('warning');
    expect(judgeTextfile('/x.prom', 0, 3_600_000).text).toContain('1 h ago');
    expect(judgeTextfile('/x.prom', 0, 60_000).state).toBe('ok');
  });
});

describe('what Telegram says', () => {
  it.each([
    ['401 Unauthorized', /token is wrong/],
    ['403 Forbidden: bot was blocked by the user', /unblock/],
    ['403 Forbidden: bot was kicked from the supergroup chat', /add the bot to the chat again/],
    ['400 Bad Request: not enough rights to send text messages to the chat', /allow the bot to send/],
    ['400 Bad Request: chat not found', /vpsmon telegram chats/],
  ])('%s', (refusal, advice) => expect(refusalAdvice(refusal)).toMatch(advice));
});

describe('databases', () => {
  const none = emptySnapshot(0).readings;
  const postgres = {
    host: '172.18.0.3',
    port: 5432,
    user: 'n8n',
    password: 'secret-password',
    database: 'n8n',
    how: 'container db, from its environment',
  };
  const failing = (name: keyof Readings, why: string): Readings => ({
    ...none,
    [name]: { state: 'failed', why, tookMs: 3 },
  });
  const judge = (found: Discovered, readings: Readings) => judgeSources(found, readings, true);

  it('what is not here is no fault', () => {
    expect(
      judge({ missing: { redis: 'no container runs a redis image' } }, none).map((line) => line.state),
    ).toEqual(['ok', 'ok', 'ok', 'ok']);
  });
  it('says how one was found, and never its password', () => {
    const lines = judge({ postgres, missing: {} }, failing('postgres', 'refused the connection'));
    expect(lines[0]).toMatchObject({
      state: 'failed',
      text: '172.18.0.3:5432 (container db, from its environment): refused the connection',
      advice: expect.stringContaining('POSTGRES_HOST'),
    });
    expect(JSON.stringify(lines)).not.toContain('secret-password');
  });
  it.each([
    ['postgres', 'password authentication failed for user "n8n"', /POSTGRES_PASSWORD/],
    ['postgres', 'sorry, too many clients already', /pg_stat_activity/],
    [
      'postgres',
      'PostgreSQL at db:5432 refuses new connections, all are taken: remaining connection slots are reserved for non-replication superuser connections',
      /pg_stat_activity/,
    ],
    ['redis', 'Redis at 10.0.0.3:6379: DENIED Redis is running in protected mode', /requirepass/],
    ['redis', 'Redis at 10.0.0.3:6379: ERR max number of clients reached', /maxclients/],
    ['postgres', 'PostgreSQL at db:5432: database "shop" does not exist', /POSTGRES_DB/],
    [
      'postgres',
      'PostgreSQL at db:5432: database "old" is not currently accepting connections',
      /POSTGRES_DB/,
    ],
    ['postgres', 'PostgreSQL at db:6432: no such database: shop', /POSTGRES_DB/],
    ['postgres', 'PostgreSQL at db:6432: not allowed', /POSTGRES_DB/],
    ['postgres', 'PostgreSQL at db:5432: the database system is starting up', /in a minute/],
    ['postgres', 'PostgreSQL at db:6432: no answer within 2.5 s', /SHOW POOLS/],
    [
      'redis',
      "Redis at 10.0.0.3:6379: NOPERM this user has no permissions to run the 'info' command",
      /\+info/,
    ],
    [
      'redis',
      "Redis at 10.0.0.3:6379: ERR unknown command 'INFO', with args beginning with:",
      /does not let this user/,
    ],
    ['redis', 'NOAUTH Authentication required.', /REDIS_PASSWORD/],
    ['n8n', 'the API key is refused (401)', /N8N_API_KEY/],
    ['waha', 'no answer from 10.0.0.2:3000 within 5 s', /docker ps -a/],
  ] as const)('%s: %s', (name, why, advice) => {
    const line = judge({ missing: {} }, failing(name, why)).find((one) => one.name === name);
    expect(line?.state).toBe('failed');
    expect(line?.advice).toMatch(advice);
  });
  it('A21: what is here and cannot be watched is a warning that names the setting', () => {
    const found: Discovered = {
      missing: { postgres: 'container db has its password in a file: set POSTGRES_PASSWORD' },
      unreadable: ['postgres'],
    };
    const [line] = judge(found, failing('postgres', 'it is here, and not watched'));
    expect(line).toMatchObject({
      state: 'warning',
      text: 'it is here, and not watched: container db has its password in a file: set POSTGRES_PASSWORD',
    });
  });
  it('A6, A7: an n8n that is not well, and what of it cannot be read, with what it costs', () => {
    const n8n = { url: 'http://10.0.0.2:5678', apiKey: 'k', how: 'container n8n' };
    const value = {
      healthy: false,
      problems: ['health: n8n answered 503 to /healthz', 'key: n8n refuses the API key (401)'],
      keyExpiresAt: 86_400_000,
    };
    const readings: Readings = { ...none, n8n: { state: 'ok', tookMs: 1, value } };
    const lines = judgeSources({ n8n, missing: {} }, readings, true, 0).filter(({ state }) => state !== 'ok');
    expect(lines).toMatchObject([
      { name: 'n8n', state: 'failed', text: expect.stringMatching(/not healthy: n8n answered 503/) },
      { name: 'n8n key', state: 'failed', text: expect.stringMatching(/401.*cannot pause workflows/) },
      { name: 'n8n key', state: 'warning', text: expect.stringMatching(/^the API key ends at /) },
    ]);
  });
  it('A10: a queue in a Redis that may evict it is a warning before anything is lost', () => {
    const value = { queue: true, maxMemoryBytes: 100, policy: 'allkeys-lru' } as RedisValues;
    const readings: Readings = { ...none, redis: { state: 'ok', tookMs: 1, value } };
    expect(judge({ missing: {} }, readings).at(-1)).toMatchObject({
      state: 'warning',
      advice: expect.stringContaining('noeviction'),
    });
  });
  it('n8n without a key, where recovery is on', () => {
    const n8n = { url: 'http://10.0.0.2:5678', apiKey: '', how: 'container n8n' };
    expect(judge({ n8n, missing: {} }, none).at(-1)).toMatchObject({
      state: 'warning',
      advice: expect.stringContaining('N8N_API_KEY'),
    });
    expect(judgeSources({ n8n, missing: {} }, none, false).every((line) => line.state === 'ok')).toBe(true);
  });
});

describe('point 4: what kind of machine it is', () => {
  const hosts = join(import.meta.dirname, '../fixtures/hosts');
  const machine = (host: string) => judgeMachine(hostFiles(join(hosts, host, 'root')), undefined)[0];
  it.each([
    [
      'lxc-guest-lxcfs',
      'ok',
      'a guest (LXC) that shares the kernel of a physical machine; not seen here: who was killed for want of memory (kills are only counted), how fast it swaps',
    ],
    [
      'lxc-guest-bare',
      'ok',
      'not seen here: who was killed for want of memory (kills are only counted), memory pressure',
    ],
    ['openvz-guest', 'ok', 'a guest (OpenVZ)'],
    ['nspawn-guest', 'warning', 'memory, swap and load are those of the whole physical machine'],
    ['wsl2', 'ok', "Windows' Linux (WSL 2)"],
    ['raspberry-pi-no-memcg', 'ok', 'Raspberry Pi 4 Model B Rev 1.5'],
    ['zfs-full-pool', 'ok', 'ZFS: its cache counts as available memory'],
  ])('%s', (host, state, text) => {
    expect(machine(host)).toMatchObject({ name: 'machine', state, text: expect.stringContaining(text) });
  });
  it('an Alpine where /proc hides the processes of others, swap is not accounted for, nothing is logged', () => {
    const files = hostFiles(join(hosts, 'alpine-hidepid-no-swap-accounting/root'));
    expect(judgeMachine(files, undefined, false)[0]?.text).toBe(
      'Alpine Linux v3.20; not seen here: the processes of other users (/proc is mounted with hidepid); as root they are',
    );
    expect(judgeMachine(files, undefined, true)[0]?.text).toBe('Alpine Linux v3.20');
    expect(judgeCgroups(files)).toMatchObject({
      state: 'warning',
      text: expect.stringContaining('without swap accounting'),
      advice: expect.stringContaining('swapaccount=1'),
    });
    expect(judgePressure(files)).toMatchObject({ state: 'warning' });
  });
  it('both cgroup versions side by side, and what is unusual about an engine', () => {
    const files = hostFiles(join(hosts, 'hybrid-cgroups-rootless-docker/root'));
    expect(judgeCgroups(files)).toMatchObject({ state: 'ok', text: expect.stringContaining('side by side') });
    expect(describeEngine({ rootDir: '/var/lib/docker', rootless: false, userns: false })).toBe('');
    expect(describeEngine({ rootDir: '/srv/docker', rootless: true, userns: true })).toBe(
      '; rootless: other engines on this machine, and their containers, are not seen; with users of its own in containers (userns-remap); its data in /srv/docker',
    );
  });
  it('an ordinary machine is what systeminformation says', () => {
    const files = hostFiles(join(hosts, 'debian-12-cgroup-v2/root'));
    expect(judgeMachine(files, undefined)).toEqual([]);
    expect(judgeMachine(files, 'Debian 12')).toEqual([{ name: 'machine', state: 'ok', text: 'Debian 12' }]);
  });
  it('N10: PSI that is missing may be switched off', () => {
    const line = judgePressure(hostFiles(join(hosts, 'raspberry-pi-no-memcg/root')));
    expect(line).toMatchObject({ state: 'warning', advice: expect.stringContaining('psi=1') });
    expect(judgePressure(hostFiles(join(hosts, 'lxc-guest-bare/root')))).toMatchObject({ state: 'ok' });
  });
  it('a memory controller that is switched off, and how to switch it on', () => {
    const line = judgeCgroups(hostFiles(join(hosts, 'raspberry-pi-no-memcg/root')));
    expect(line).toMatchObject({
      state: 'warning',
      text: expect.stringContaining('cannot be known'),
      advice: expect.stringContaining('cgroup_enable=memory'),
    });
  });
  it('H3: the kernel log of another machine is not promised', () => {
    expect(judgeKernelLog(undefined, { kind: 'LXC', ownMeminfo: true }).text).toContain(
      "the physical machine's",
    );
  });
});
