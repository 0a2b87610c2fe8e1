// An engine, or what pretends to be one, that does everything but its work, over a plain TCP socket: each call ends within its
// deadline with a sentence, and nothing of what was sent stays in memory.
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, test } from 'vitest';
import { container as sketched, configWith } from '../../discovery/fixtures.ts';
import { createDiscovery } from '../../../src/discovery/discover.ts';
import { discoverFrom } from '../../../src/discovery/from.ts';
import { errorText, plain } from '../../../src/model/text.ts';
import { readContainers } from '../../../src/system/docker/containers.ts';
import { openDocker } from '../../../src/system/docker/docker.ts';
import type { Clock, Docker, DockerEvent, Files } from '../../../src/system/types.ts';

const VERSION = '{"Version":"28.0.0","ApiVersion":"1.48","MinAPIVersion":"1.24"}';
const MB = 1_048_576;
const NO_FILES = { textOr: () => undefined } as unknown as Files;
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
/** Bytes that are held; what is garbage already counts for nothing, however late it is collected. */
function heldBytes(): number {
  collect();
  return process.memoryUsage().arrayBuffers;
}

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanup.splice(0).toReversed()) await undo();
});

type Respond = (socket: Socket, path: string) => unknown;

/** An engine whose every answer but that about its version is what `respond` writes to the socket. */
async function engine(respond: Respond, deadlineMs = 100_000): Promise<Docker> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    let head = '';
    socket.on('data', (chunk: Buffer) => {
      head += chunk.toString('latin1');
      for (let end = head.indexOf('\r\n\r\n'); end !== -1; end = head.indexOf('\r\n\r\n')) {
        const path = head.split(' ')[1] ?? '';
        head = head.slice(end + 4);
        if (path.endsWith('/version') || path.endsWith('/_ping'))
          socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${VERSION.length}\r\n\r\n${VERSION}`);
        else void respond(socket, path);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const docker = openDocker(`tcp://127.0.0.1:${port}`, { deadlineMs });
  cleanup.push(
    () => new Promise((resolve) => server.close(resolve)),
    () => sockets.forEach((socket) => socket.destroy()),
    () => docker.close(),
  );
  return docker;
}

/** Writes as fast as the other side takes it, until it goes away or `bytes` are written. */
async function pour(socket: Socket, piece: Buffer, bytes = Infinity): Promise<void> {
  for (let sent = 0; sent < bytes && !socket.destroyed; sent += piece.length)
    if (!socket.write(piece))
      await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), sleep(50)]);
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n';

test.each<[string, Respond, RegExp]>([
  [
    'half a JSON, then the end',
    (s) => s.end(`${OK}Content-Length: 99\r\n\r\n[{"Id":"a`),
    /closed the connection|aborted/,
  ],
  [
    'half a JSON, then silence',
    (s) => s.write(`${OK}Content-Length: 99\r\n\r\n[{"Id":"a`),
    /no answer from .* within 1\.5 s/,
  ],
  [
    'half a JSON that is whole by its length',
    (s) => s.write(`${OK}Content-Length: 9\r\n\r\n[{"Id":"a`),
    /not JSON/,
  ],
  [
    'a chunk of a size that nobody has',
    (s) => s.write(`${OK}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n[`),
    /does not speak HTTP|no answer/,
  ],
  [
    'a chunk that claims 60 GB',
    (s) => void s.write(`${OK}Transfer-Encoding: chunked\r\n\r\neffffffff\r\n[`),
    /no answer from/,
  ],
  [
    'a chunk of a negative size',
    (s) => s.write(`${OK}Transfer-Encoding: chunked\r\n\r\n-5\r\n[`),
    /does not speak HTTP/,
  ],
  ['a length that is negative', (s) => s.write(`${OK}Content-Length: -1\r\n\r\n[]`), /does not speak HTTP/],
  [
    'two lengths',
    (s) => s.write(`${OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\n[]`),
    /does not speak HTTP/,
  ],
  ['a length of 9 PB', (s) => s.write(`${OK}Content-Length: 9007199254740991\r\n\r\n[`), /no answer from/],
  [
    'headers without an end, fast',
    (s) => pour(s, Buffer.from(`${OK}${'X-A: b\r\n'.repeat(1000)}`)),
    /does not speak HTTP/,
  ],
  [
    'headers without an end, slowly',
    async (s) => {
      s.write(OK);
      while (!s.destroyed) {
        s.write('X-A: b\r\n');
        await sleep(50);
      }
    },
    /no answer from .* within 1\.5 s|does not speak HTTP/,
  ],
  [
    'one header of 100 MB',
    (s) => pour(s, Buffer.concat([Buffer.from(`${OK}X: `), Buffer.alloc(MB, 'a')]), 100 * MB),
    /does not speak HTTP/,
  ],
  [
    '"go on" for ever',
    (s) => pour(s, Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'.repeat(500))),
    /no answer from|does not speak HTTP/,
  ],
  [
    'trailers without an end',
    (s) =>
      pour(
        s,
        Buffer.from(`${OK}Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n${'T: x\r\n'.repeat(5000)}`),
      ),
    /does not speak HTTP|no answer/,
  ],
  [
    'a list of a million containers',
    (s) => {
      const item = `{"Id":"${'a'.repeat(64)}","Names":["/x"],"Image":"y","State":"running","Labels":{}},`;
      s.write(`${OK}\r\n[`);
      return pour(s, Buffer.from(item.repeat(5000)), 1_000_000 * item.length);
    },
    /too large \(more than 32 MB\)|no answer from/,
  ],
  [
    'a list of a million tiny values',
    (s) => {
      const body = `[${'{},'.repeat(1_000_000)}{}]`;
      s.write(`${OK}Content-Length: ${body.length}\r\n\r\n${body}`);
    },
    /too large \(more than 300000 values\)/,
  ],
  [
    'lists within lists',
    (s) => {
      const body = '['.repeat(2_000_000);
      s.write(`${OK}Content-Length: ${body.length}\r\n\r\n${body}`);
    },
    /nested too deeply/,
  ],
  [
    'NULs',
    (s) => s.write(Buffer.concat([Buffer.from(`${OK}Content-Length: 5000\r\n\r\n`), Buffer.alloc(5000)])),
    /not JSON/,
  ],
  ['another protocol', (s) => s.write('SSH-2.0-OpenSSH_9.2\r\n'), /does not speak HTTP/],
  [
    'an error of 50 MB',
    (s) => {
      s.write(`HTTP/1.1 500 No\r\nContent-Length: ${50 * MB}\r\n\r\n`);
      return pour(s, Buffer.alloc(MB, 'e'), 50 * MB);
    },
    /too large|Docker said 500|no answer from/,
  ],
])('%s', async (_name, respond, expected) => {
  // Only where silence is the matter is a deadline that a busy machine may miss.
  const docker = await engine(respond, /no answer/.test(expected.source) ? 1500 : undefined);
  const before = heldBytes();
  const error = await docker.list().catch((thrown: unknown) => thrown as Error);
  expect(error).toBeInstanceOf(Error);
  expect(errorText(error)).toMatch(expected);
  expect(errorText(error).length).toBeLessThan(310);
  // What is still in flight is bounded, too.
  await expect.poll(() => heldBytes() - before).toBeLessThan(150 * MB);
});

test('events: without an end of the line, with NULs and garbage, in a flood: what is an event gets through', async () => {
  const event = (at: number) =>
    `{"Type":"container","Action":"die","Actor":{"ID":"x${at}","Attributes":{"name":"web","exitCode":"1"}},"timeNano":1700000000000000000}\n`;
  const docker = await engine(async (socket) => {
    socket.write(`${OK}\r\n`);
    socket.write(event(1));
    await pour(socket, Buffer.alloc(MB, 'a'), 100 * MB);
    socket.write(`\n${event(2)}`);
    await pour(socket, Buffer.from('\0\u0000{"Type":\n[1,2\n"x"\nnull\n{}\n'.repeat(2000)), 4 * MB);
    socket.write(`\n${event(3)}`);
    socket.end();
  });
  const seen: DockerEvent[] = [];
  const before = heldBytes();
  let most = 0;
  await docker
    .events({
      signal: new AbortController().signal,
      onEvent(one) {
        seen.push(one);
        most = Math.max(most, heldBytes() - before);
      },
    })
    .catch(() => undefined);
  expect(seen.map(({ id }) => id)).toEqual(['x1', 'x2', 'x3']);
  expect(most).toBeLessThan(60 * MB);
});

test('a log of 100 MB without an end of the line, with NULs: the call ends, with lines that are safe to show', async () => {
  const docker = await engine(async (socket) => {
    socket.write(`${OK}\r\n`);
    await pour(socket, Buffer.from('a\0\u001b[31m\u202e<b>'.repeat(100_000)), 100 * MB);
    socket.destroy();
  });
  const lines = await docker.logs('x', 5);
  expect(lines.length).toBeLessThanOrEqual(5);
  for (const line of lines) {
    expect(line.length).toBeLessThanOrEqual(400);
    // eslint-disable-next-line no-control-regex
    expect(line).not.toMatch(/[\0\u001b\u202e]/);
  }
});

/** 2,000 labels, a variable of 1 MB, names that break lines, run backwards and mark up, health output without measure. */
function monster(): Record<string, unknown> {
  const nasty = 'a\n\u202e<b>&\u001b[31m\0"';
  return {
    Id: 'f'.repeat(64),
    Name: `/${nasty}`,
    RestartCount: 1e308,
    Created: '9999-99-99T99:99:99Z',
    State: {
      Status: nasty,
      Pid: -5,
      ExitCode: 1e99,
      Error: nasty.repeat(10_000),
      StartedAt: nasty,
      Health: {
        Status: nasty,
        FailingStreak: -1,
        Log: Array.from({ length: 50 }, () => ({ ExitCode: 1, End: 'x', Output: 'o'.repeat(20_000) })),
      },
    },
    HostConfig: {
      Memory: -1,
      MemorySwap: 1e300,
      RestartPolicy: { Name: nasty },
      NetworkMode: `container:${nasty}`,
    },
    Config: {
      Image: 'postgres:16',
      Labels: Object.fromEntries(Array.from({ length: 2000 }, (_, at) => [`l${at}\n`, nasty])),
      Env: [
        `POSTGRES_PASSWORD=S3cret-${'x'.repeat(20)}`,
        `BIG=${'y'.repeat(MB)}`,
        'NOVALUE',
        '=x',
        ...Array.from({ length: 2000 }, (_, at) => `E${at}=${nasty}`),
      ],
      Cmd: Array.from({ length: 2000 }, () => nasty),
    },
    NetworkSettings: {
      Ports: Object.fromEntries(
        Array.from({ length: 2000 }, (_, at) => [`${at}/tcp`, [{ HostIp: nasty, HostPort: String(at) }]]),
      ),
      Networks: { [nasty]: { IPAddress: '172.20.0.5', Aliases: Array.from({ length: 2000 }, () => nasty) } },
    },
  };
}

test('a container that tells more than is read costs itself, not the others', async () => {
  const big = 'e'.repeat(64);
  const list = [big, 'f'.repeat(64)].map((Id) => ({
    Id,
    Names: [`/${Id[0]}`],
    Image: 'postgres:16',
    State: 'running',
    Status: 'Up 5 seconds',
  }));
  const one = { ...monster(), Name: '/f' };
  const docker = await engine((socket, path) => {
    const answer = path.includes('/containers/json')
      ? list
      : path.includes(big)
        ? { ...one, Id: big, Labels: 'x'.repeat(5 * MB) }
        : one;
    const body = JSON.stringify(answer);
    socket.write(`${OK}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  });
  const found = await readContainers(docker, AbortSignal.timeout(100_000), NO_FILES);
  expect(found.map(({ name, state }) => [name, state])).toEqual([
    ['e', 'running'],
    ['f', 'created'],
  ]);
  const config = configWith({});
  const clock = { now: () => 0, monotonic: () => 0, sleep: () => sleep(4000) } as unknown as Clock;
  const { postgres } = await createDiscovery({ docker, config, clock, files: NO_FILES }).current(
    AbortSignal.timeout(9000),
  );
  expect(postgres).toBeUndefined();
  await expect(docker.inspect(big)).rejects.toThrow('too large (more than 4 MB)');
});

test('a container that is hostile in every field is read, within bounds, and shown safely', async () => {
  const body = JSON.stringify(monster());
  const item = JSON.stringify([
    { Id: 'f'.repeat(64), Names: ['/x\n\u202e'], Image: 'postgres:16', State: 'running', Labels: {} },
  ]);
  const docker = await engine((socket, path) => {
    const answer = path.includes('/containers/json') ? item : body;
    socket.write(`${OK}Content-Length: ${Buffer.byteLength(answer)}\r\n\r\n${answer}`);
  });
  const signal = AbortSignal.timeout(100_000);
  const [info] = await readContainers(docker, signal, NO_FILES);
  expect(info).toBeDefined();
  // eslint-disable-next-line no-control-regex
  expect(plain(info!.name)).not.toMatch(/[\n\u202e\u001b\0]/);
  const inspect = await docker.inspect('f'.repeat(64), signal);
  const { item: other } = sketched({ name: 'other', image: 'nginx' });
  const found = discoverFrom(
    { list: [other, ...(await docker.list(signal))], inspects: [inspect] },
    configWith({}),
  );
  const shown = JSON.stringify([found.missing, found.postgres?.how]);
  expect(shown).not.toContain('S3cret-');
  expect(shown).not.toMatch(/\\n|\\u001b|\\u0000|\u202e/);
});
