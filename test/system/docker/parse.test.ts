import { describe, expect, test } from 'vitest';
import { parseDockerHost, usualSockets, withHint } from '../../../src/system/docker/address.ts';
import { createLineSplitter, formatSince, MOVED, parseEvent } from '../../../src/system/docker/events.ts';
import { parseLogs, unframe } from '../../../src/system/docker/logs.ts';
import { parseInspect, parseList, parseStats } from '../../../src/system/docker/parse.ts';
import { chooseVersion } from '../../../src/system/docker/call.ts';
import { toContainerInfo, fromListItem } from '../../../src/system/docker/containers.ts';

const ID = 'a'.repeat(64);

describe('version', () => {
  test.each([
    ['1.41', '1.12', '/v1.41'],
    ['1.99', '1.44', '/v1.56'],
    ['2.3', '2.0', '/v2.0'],
    ['1.24', '', '/v1.24'],
    ['', '', ''],
    ['newest', '1.1', ''],
  ])('an engine of %s that knows back to %s is spoken to as %s', (newest, oldest, prefix) => {
    expect(chooseVersion(newest, oldest)).toBe(prefix);
  });
});

describe('address', () => {
  test('unix sockets and tcp, with and without a port', () => {
    expect(parseDockerHost('unix:///a/b.sock')).toEqual({ address: '/a/b.sock', socketPath: '/a/b.sock' });
    expect(parseDockerHost('/a/b.sock').socketPath).toBe('/a/b.sock');
    expect(parseDockerHost('tcp://proxy:2376')).toEqual({
      address: 'tcp://proxy:2376',
      host: 'proxy',
      port: 2376,
    });
    expect(parseDockerHost('tcp://[::1]')).toEqual({ address: 'tcp://[::1]:2375', host: '::1', port: 2375 });
  });
  test.each(['ssh://host', 'npipe:////./pipe', 'tcp://', 'nonsense', 'https://user:pass@x'])(
    '%s is refused',
    (host) => {
      expect(() => parseDockerHost(host)).toThrow(
        'DOCKER_HOST must be unix:///path/to/docker.sock or tcp://host:port',
      );
    },
  );
  test('S13: nothing set: the first socket that is there, else the usual one', () => {
    expect(usualSockets({ XDG_RUNTIME_DIR: '/run/user/7' }, '/home/me')).toEqual([
      '/var/run/docker.sock',
      '/run/user/7/docker.sock',
      '/home/me/.docker/run/docker.sock',
      '/run/podman/podman.sock',
      '/run/user/7/podman/podman.sock',
    ]);
    expect(usualSockets({}, '/root').filter((path) => path.includes('/run/user'))).toEqual([]);
    expect(parseDockerHost('', ['/nonexistent', '/dev/null', '/dev/zero']).socketPath).toBe('/dev/null');
    expect(parseDockerHost('', ['/nonexistent']).socketPath).toBe('/var/run/docker.sock');
  });
  test('says what would help', () => {
    const at = parseDockerHost('/dev/null');
    const hint = (code: string) => withHint(Object.assign(new Error('x'), { code }), at).message;
    expect(hint('ENOENT')).toMatch(/no Docker socket at \/dev\/null: Docker is not installed or not running/);
    expect(hint('EACCES')).toMatch(/run vpsmon as root, or add the user \S+ to the group root/);
    expect(hint('ECONNREFUSED')).toMatch(/engine is not running/);
    expect(hint('ETIMEDOUT')).toBe('x');
  });
});

describe('lists and inspects', () => {
  test('an answer without any of the fields does no harm', () => {
    expect(parseList([{}, null, 5, { Id: ID }])).toEqual([
      {
        id: ID,
        name: ID.slice(0, 12),
        image: '',
        labels: {},
        state: '',
        status: '',
        networks: {},
        ports: [],
      },
    ]);
    expect(() => parseList({ message: 'no' })).toThrow('something else');
    const bare = parseInspect({ Id: ID });
    expect(bare.state).toMatchObject({ pid: 0, startedAt: 0, oomKilled: false });
    expect(bare.hostConfig.restartPolicy).toBe('no');
    expect(() => parseInspect('nonsense')).toThrow('something else');
    expect(parseInspect({ Id: ID, Config: { Env: null, Labels: [] }, State: { Pid: '5' } })).toMatchObject({
      env: [],
      labels: {},
      state: { pid: 0 },
    });
  });
  test('of several names the own one counts, not that of a link', () => {
    expect(parseList([{ Id: ID, Names: ['/web/db', '/db'] }])[0]?.name).toBe('db');
  });
  test('times: never is 0, nanoseconds are cut', () => {
    const state = { StartedAt: '2026-01-02T03:04:05.123456789Z', FinishedAt: '0001-01-01T00:00:00Z' };
    expect(parseInspect({ Id: ID, State: state }).state).toMatchObject({
      startedAt: Date.UTC(2026, 0, 2, 3, 4, 5, 123),
      finishedAt: 0,
    });
  });
  test('A13: links and added hosts, as every kind of network has them', () => {
    const { hosts } = parseInspect({
      Id: ID,
      HostConfig: { Links: ['/mydb:/n8n/Postgres'], ExtraHosts: ['gw:host-gateway', 'v6=fd00::1', 'x'] },
      NetworkSettings: { Networks: { shop: { Links: ['shop-redis-1:cache', 7] } } },
    });
    expect(hosts).toMatchObject({
      postgres: 'mydb',
      gw: 'host-gateway',
      v6: 'fd00::1',
      cache: 'shop-redis-1',
    });
  });
  test('S15: the log driver', () => {
    expect(parseInspect({ Id: ID, HostConfig: { LogConfig: { Type: 'none' } } }).logDriver).toBe('none');
    expect(parseInspect({ Id: ID, HostConfig: {} })).not.toHaveProperty('logDriver');
  });
  test('ports that are published and ports that are not', () => {
    const Ports = { '5432/tcp': [{ HostIp: '127.0.0.1', HostPort: '5433' }], '53/udp': null };
    expect(parseInspect({ Id: ID, NetworkSettings: { Ports } }).ports).toEqual([
      { privatePort: 5432, type: 'tcp', publicPort: 5433, ip: '127.0.0.1' },
      { privatePort: 53, type: 'udp' },
    ]);
  });
  test('of one that is down, the ports that it publishes when it runs', () => {
    const HostConfig = { PortBindings: { '3000/tcp': [{ HostIp: '', HostPort: '3001' }] } };
    const of = (Status: string) =>
      parseInspect({ Id: ID, State: { Status }, HostConfig, NetworkSettings: { Ports: {} } }).ports;
    expect(of('exited')).toEqual([{ privatePort: 3000, type: 'tcp', publicPort: 3001 }]);
    // In the host's network it publishes nothing, whatever was asked for.
    expect(of('running')).toEqual([]);
  });
});

describe('table', () => {
  const raw = {
    Id: ID,
    Name: '/web',
    RestartCount: 2,
    Config: {
      Image: 'x',
      Labels: { 'com.docker.compose.service': 'web', 'com.docker.compose.project': 'shop' },
    },
    HostConfig: { Memory: 5, RestartPolicy: { Name: 'always' } },
  };
  const extra = { restartsLast5Min: 1, self: false };
  test('a running container', () => {
    const State = {
      Status: 'running',
      Pid: 7,
      ExitCode: 0,
      StartedAt: '2026-01-02T03:04:05Z',
      Health: { Status: 'starting' },
    };
    expect(toContainerInfo(parseInspect({ ...raw, State }), extra)).toEqual({
      id: ID,
      name: 'web',
      service: 'web',
      project: 'shop',
      image: 'x',
      state: 'running',
      health: 'starting',
      restartCount: 2,
      restartsLast5Min: 1,
      restartPolicy: 'always',
      pid: 7,
      oomKilled: false,
      startedAt: Date.UTC(2026, 0, 2, 3, 4, 5),
      limitBytes: 5,
      self: false,
    });
  });
  test('a dead one has an exit code, no process and no health', () => {
    const State = {
      Status: 'exited',
      Pid: 0,
      ExitCode: 137,
      OOMKilled: true,
      Health: { Status: 'unhealthy' },
    };
    const info = toContainerInfo(parseInspect({ ...raw, HostConfig: {}, State }), extra);
    expect(info).toMatchObject({
      state: 'exited',
      exitCode: 137,
      oomKilled: true,
      health: 'none',
      limitBytes: null,
    });
    expect(info).not.toHaveProperty('pid');
  });
  test('a state that nobody knows is neither running nor an alarm', () => {
    expect(toContainerInfo(parseInspect({ ...raw, State: { Status: 'stopped?' } }), extra).state).toBe(
      'created',
    );
  });
  test.each([
    ['Up 6 seconds (unhealthy)', 'unhealthy', undefined],
    ['Up 6 seconds (health: starting)', 'starting', undefined],
    ['Up 2 days', 'none', undefined],
    ['Exited (137) 5 seconds ago', 'none', 137],
  ])('from the list alone: %s', (status, health, exitCode) => {
    const info = fromListItem(parseList([{ Id: ID, State: 'running', Status: status }])[0]!, false);
    expect(info.health).toBe(health);
    expect(info.exitCode).toBe(exitCode);
  });
});

describe('stats', () => {
  test('of both cgroup versions, and of a container that does not run', () => {
    const cpu_stats = { cpu_usage: { total_usage: 123 } };
    const v1 = {
      usage: 100,
      limit: 999,
      stats: { total_inactive_file: 30, total_rss: 50, inactive_file: 1 },
    };
    const v2 = { usage: 100, limit: 999, stats: { inactive_file: 130, anon: 60 } };
    const common = { cpuTotalNs: 123 };
    expect(parseStats({ memory_stats: v1, cpu_stats })).toEqual({
      workingSetBytes: 70,
      anonBytes: 50,
      ...common,
    });
    expect(parseStats({ memory_stats: v2, cpu_stats })).toEqual({
      workingSetBytes: 100,
      anonBytes: 60,
      ...common,
    });
    expect(parseStats({ memory_stats: {} })).toBeUndefined();
    expect(parseStats(null)).toBeUndefined();
  });
});

describe('events', () => {
  const line = (event: object) => JSON.stringify({ Type: 'container', ...event });
  const die = {
    Action: 'die',
    Actor: { ID, Attributes: { exitCode: '137', name: 'web', evil: 'x","timeNano":1,"' } },
    time: 1700000000,
  };

  test('keeps all 19 digits of the time, and is not misled by an attribute', () => {
    const text = line(die).replace(/}$/, ',"timeNano":1700000000123456789}');
    expect(parseEvent(text)).toEqual({
      timeNano: 1700000000123456789n,
      action: 'die',
      id: ID,
      name: 'web',
      attributes: die.Actor.Attributes,
    });
    expect(parseEvent(line(die))?.timeNano).toBe(1700000000000000000n);
  });

  test('H5: a container that was connected to a network, or disconnected, has moved', () => {
    const change = (Action: string, container = ID) =>
      parseEvent(
        JSON.stringify({
          Type: 'network',
          Action,
          Actor: { ID: 'n1', Attributes: { container, name: 'shop' } },
          time: 17,
        }),
      );
    expect(change('disconnect')).toMatchObject({ action: MOVED, id: ID });
    expect(change('connect')).toMatchObject({ action: MOVED, id: ID });
    expect(change('create')).toBeUndefined();
    expect(change('connect', '')).toBeUndefined();
  });

  test.each([
    ['a healthcheck', line({ Action: 'exec_start: /bin/sh -c true', Actor: { ID } })],
    ['another type', JSON.stringify({ Type: 'network', Action: 'connect', Actor: { ID } })],
    ['no id', line({ Action: 'die' })],
    ['not JSON', '{"Type":"container","Action":"di'],
    ['null', 'null'],
    ['a list', '[]'],
  ])('leaves out %s', (_, text) => {
    expect(parseEvent(text)).toBeUndefined();
  });

  test('lines come whole, whatever the borders of the chunks', () => {
    const text = `${line({ ...die, note: 'äöü€😀' })}\n\n{"x":1}\n`;
    const bytes = Buffer.from(text);
    for (let size = 1; size < 40; size += 3) {
      const lines: string[] = [];
      const feed = createLineSplitter((one) => lines.push(one));
      for (let at = 0; at < bytes.length; at += size) feed(bytes.subarray(at, at + size));
      expect(lines).toEqual([text.split('\n')[0], '{"x":1}']);
    }
  });

  test('a line without end is left out, and the next one is read', () => {
    const lines: string[] = [];
    const feed = createLineSplitter((one) => lines.push(one), 100);
    for (let i = 0; i < 50; i += 1) feed(Buffer.alloc(10, 0x78));
    feed(Buffer.from('xx\nnext\n'));
    feed(Buffer.from(`${'y'.repeat(101)}\n${'z'.repeat(100)}\n`));
    expect(lines).toEqual(['next', 'z'.repeat(100)]);
  });

  test('hostile bytes are lines like others', () => {
    const feed = createLineSplitter((one) => expect(parseEvent(one)).toBeUndefined());
    for (let i = 0; i < 200; i += 1)
      feed(Buffer.from(Array.from({ length: 64 }, (_, j) => (i * 37 + j * 101) % 256)));
    expect.hasAssertions();
  });

  test('a point in time has all its digits', () => {
    expect(formatSince(1700000000000000005n)).toBe('1700000000.000000005');
  });
});

describe('S13: events of podman', () => {
  const podman = (action: string, more: object = {}, attributes: Record<string, string> = {}) =>
    parseEvent(
      JSON.stringify({
        status: action,
        Type: 'container',
        Action: action,
        Actor: { ID: 'a'.repeat(64), Attributes: { name: 'web', image: 'x', ...attributes } },
        time: 1700000000,
        ...more,
      }),
    );
  test.each([
    ['died', {}, { containerExitCode: '3' }, 'die'],
    ['remove', {}, {}, 'destroy'],
    ['health_status', { HealthStatus: 'unhealthy' }, {}, 'health_status: unhealthy'],
    ['health_status', {}, { health_status: 'healthy' }, 'health_status: healthy'],
    ['health_status: healthy', {}, {}, 'health_status: healthy'],
    ['start', {}, {}, 'start'],
  ])('%s', (action, more, attributes, expected) => {
    expect(podman(action, more, attributes)?.action).toBe(expected);
  });
  test('the exit code is where Docker has it', () => {
    expect(podman('died', {}, { containerExitCode: '3' })?.attributes['exitCode']).toBe('3');
  });
});

describe('logs', () => {
  function frame(stream: number, text: string | Buffer): Buffer {
    const data = Buffer.from(text);
    const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
    header.writeUInt32BE(data.length, 4);
    return Buffer.concat([header, data]);
  }
  test('frames of both streams, in order, a character cut in two between them', () => {
    const euro = Buffer.from('€\n');
    const data = Buffer.concat([
      frame(1, 'one\n'),
      frame(2, euro.subarray(0, 2)),
      frame(2, euro.subarray(2)),
      frame(1, 'x\n'),
    ]);
    expect(parseLogs(data, 5)).toEqual(['one', '€', 'x']);
    expect(parseLogs(data, 2)).toEqual(['€', 'x']);
  });
  test('without frames as it is', () => {
    expect(parseLogs(Buffer.from('one\r\ntwo\r\n'), 5)).toEqual(['one', 'two']);
    expect(unframe(Buffer.from('abc')).toString()).toBe('abc');
    expect(parseLogs(Buffer.alloc(0), 5)).toEqual([]);
  });
  test('the last frame may be cut off, a broken one ends the log', () => {
    const whole = Buffer.concat([frame(1, 'one\n'), frame(1, 'two\n')]);
    expect(parseLogs(whole.subarray(0, -2), 5)).toEqual(['one', 'tw']);
    expect(parseLogs(Buffer.concat([frame(1, 'one\n'), Buffer.from('garbage!garbage!')]), 5)).toEqual([
      'one',
    ]);
    const liar = frame(1, 'one\n');
    liar.writeUInt32BE(0xffffffff, 4);
    expect(parseLogs(liar, 5)).toEqual(['one']);
  });
  test('escape sequences, control characters and endless lines are out', () => {
    const [line] = parseLogs(frame(2, `\u001b[31mred\u001b[0m\u0000\u0007 ${'x'.repeat(1000)}\n`), 5);
    expect(line).toMatch(/^red x+…$/);
    expect(line).toHaveLength(400);
  });
});
