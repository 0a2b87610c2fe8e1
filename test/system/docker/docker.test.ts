// The client against an engine that misbehaves, as no real one does on request. The real one: test/real/docker-client.test.ts.
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createNetServer } from 'node:net';
import type { Socket } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { readContainers, selfContainerId } from '../../../src/system/docker/containers.ts';
import { openDocker } from '../../../src/system/docker/docker.ts';
import type { Docker, DockerEvent, Files } from '../../../src/system/types.ts';

let dir: string;
let socket: string;
let docker: Docker;
const closing: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vpsmon-engine-'));
  socket = join(dir, 'docker.sock');
  docker = openDocker(`unix://${socket}`);
});
afterEach(async () => {
  docker.close();
  for (const close of closing.splice(0)) await close();
  rmSync(dir, { recursive: true });
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
const VERSION = { Version: '28.0.0', ApiVersion: '1.48', MinAPIVersion: '1.24' };

/** Answers /version, and everything else with `handler`; returns what was asked. */
async function engine(handler: Handler, version: object = VERSION): Promise<string[]> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (request.url === '/version') response.end(JSON.stringify(version));
    else handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  closing.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return asked;
}

test('asks for the version once and speaks it', async () => {
  const asked = await engine((_, response) => response.end('[]'));
  await Promise.all([docker.list(), docker.list()]);
  await docker.list();
  const list = 'GET /v1.48/containers/json?all=1';
  expect(asked).toEqual(['GET /version', list, list, list]);
});

test('asks for the version anew after the stream of events, and not after a look at the events of the last half minute', async () => {
  const asked = await engine((_, response) => response.end());
  const versions = () => asked.filter((line) => line === 'GET /version').length;
  const { signal } = new AbortController();
  const onEvent = () => expect.unreachable();
  await docker.events({ since: 1n, until: 2n, signal, onEvent });
  await docker.events({ since: 2n, until: 3n, signal, onEvent });
  expect(versions()).toBe(1);
  await docker.events({ since: 3n, signal, onEvent });
  await docker.events({ since: 3n, until: 4n, signal, onEvent });
  expect(versions()).toBe(2);
});

// podman, and Docker too, start programs to answer /version: 9 s on a machine that thrashes, where /_ping takes 1 ms.
test('an engine that is too slow to say its version is asked for that of its API', async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(String(request.url));
    if (request.url === '/version') return;
    response.writeHead(200, { 'Api-Version': '1.41', 'Libpod-Api-Version': '4.3.1' }).end('[]');
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  closing.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const hasty = openDocker(`unix://${socket}`, { deadlineMs: 60_000 });
  onTestFinished(() => hasty.close());
  expect(await hasty.list()).toEqual([]);
  await hasty.list();
  const list = '/v1.41/containers/json?all=1';
  expect(asked).toEqual(['/version', '/_ping', list, list]);
  expect(await hasty.version()).toMatchObject({ apiVersion: '1.41', podman: true });
});

test('a proxy that denies the version is spoken to without one', async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(String(request.url));
    response.writeHead(request.url === '/version' ? 403 : 200).end('[]');
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  await docker.list();
  expect(asked).toEqual(['/version', '/containers/json?all=1']);
  expect((await docker.version()).version).toBe('unknown');
});

test('after an update that dropped the version, asks again', async () => {
  let minimum = 24;
  const asked = await engine((request, response) => {
    const minor = Number(/^\/v1\.(\d+)/.exec(request.url ?? '')?.[1]);
    if (minor >= minimum) response.end('[]');
    else
      response
        .writeHead(400)
        .end('{"message":"client version 1.48 is too old. Minimum supported API version is 1.50"}');
  });
  await docker.list();
  minimum = 50;
  await expect(docker.list()).rejects.toThrow('Docker said 400: client version 1.48 is too old');
  await expect(docker.list()).rejects.toThrow('too old');
  expect(asked.filter((line) => line === 'GET /version')).toHaveLength(2);
});

test.each([
  ['not JSON', 200, '<html>', 'not JSON'],
  ['something else', 200, '{"a":1}', 'something else'],
  ['an error of its own', 500, '{"message":"no\\u001b[31m space\\nleft"}', 'Docker said 500: no space left'],
  ['an error without words', 502, '', 'Docker said 502: no reason given'],
])('answered with %s', async (_, status, body, message) => {
  await engine((_request, response) => response.writeHead(status).end(body));
  await expect(docker.list()).rejects.toThrow(message);
});

test('an answer without end is an error, and so is one that stops in the middle', async () => {
  await engine((request, response) => {
    if (request.url?.includes('inspect-me')) {
      response.writeHead(200, { 'Content-Length': '100' });
      response.write('{"Id":');
      setImmediate(() => response.destroy());
      return;
    }
    // All of it at once: on a slow machine megabyte after megabyte is overtaken by the time limit.
    response.write(Buffer.alloc(8 * 1_048_576, 0x20));
  });
  await expect(docker.info()).rejects.toThrow('the answer is too large (more than 4 MB)');
  await expect(docker.inspect('inspect-me')).rejects.toMatchObject({ code: 'ECONNRESET' });
});

test('an id from outside cannot reach another part of the API', async () => {
  const asked = await engine((_, response) => response.writeHead(404).end('{"message":"no"}'));
  await expect(docker.inspect('../images/x?y#z')).rejects.toMatchObject({ status: 404 });
  expect(asked.at(-1)).toBe('GET /v1.48/containers/..%2Fimages%2Fx%3Fy%23z/json');
});

test('a connection that was closed while idle is replaced for a question, never for an order', async () => {
  const sockets = new Set<Socket>();
  const asked = await engine((request, response) => {
    sockets.add(request.socket);
    if (asked.length === 3 || asked.length === 5) request.socket.destroy();
    else response.end('[]');
  });
  await docker.list();
  // The third question meets a connection that ends without an answer; it is asked again.
  await docker.list();
  expect(asked).toHaveLength(4);
  await expect(docker.restart('x', 1)).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect(asked.filter((line) => line.startsWith('POST'))).toHaveLength(1);
});

test('a socket that accepts and never answers costs the deadline, or less when asked to stop', async () => {
  const held: Socket[] = [];
  const server = createNetServer((connection) => held.push(connection));
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  closing.push(() => {
    for (const connection of held) connection.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const stop = new AbortController();
  const stopped = expect(docker.list(stop.signal)).rejects.toMatchObject({ code: 'ABORT_ERR' });
  await vi.advanceTimersByTimeAsync(10);
  stop.abort();
  await stopped;
  const failed = expect(docker.list()).rejects.toThrow(/no answer from Docker at .* within 5 s/);
  await vi.advanceTimersByTimeAsync(5_000);
  await failed;
});

const event = (nano: number, action: string) =>
  `${JSON.stringify({ Type: 'container', Action: action, Actor: { ID: 'x' }, timeNano: nano })}\n`;

test('events: opened, in order, hostile lines passed by, ended by the engine', async () => {
  const asked = await engine((_, response) => {
    response.write(event(1, 'start'));
    response.write(`\u0000\u0001{"Type":"container"\n${'x'.repeat(600_000)}\n`);
    response.end(event(2, 'die'));
  });
  const seen: DockerEvent[] = [];
  let opened = 0;
  await docker.events({
    since: 5n,
    onOpen: () => (opened += 1),
    onEvent: (one) => seen.push(one),
    signal: new AbortController().signal,
  });
  expect(opened).toBe(1);
  expect(seen.map(({ action, timeNano }) => [action, timeNano])).toEqual([
    ['start', 1n],
    ['die', 2n],
  ]);
  const query = new URL(`http://x${asked.at(-1)?.slice(4)}`).searchParams;
  expect(query.get('since')).toBe('0.000000005');
  expect(JSON.parse(query.get('filters') ?? '')).toMatchObject({ type: ['container', 'network'] });
});

test('a death by podman is known as one, also from a version that uses the words of Docker', async () => {
  const podman = { ...VERSION, Components: [{ Name: 'Podman Engine', Version: '4.3.1' }] };
  await engine((_, response) => response.end(event(1, 'start') + event(2, 'die')), podman);
  const seen: DockerEvent[] = [];
  await docker.events({ signal: new AbortController().signal, onEvent: (one) => seen.push(one) });
  expect(seen.map(({ action, podman: mark }) => [action, mark])).toEqual([
    ['start', undefined],
    ['die', true],
  ]);
});

test('H9: events: a stream that only ever announces itself is an error', async () => {
  const server = createNetServer((peer) => {
    peer.on('error', () => {});
    peer.on('data', () => peer.write('HTTP/1.1 100 Continue\r\n\r\n'.repeat(20)));
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  const { signal } = new AbortController();
  await expect(docker.events({ onEvent: () => {}, signal })).rejects.toThrow('does not speak HTTP');
});

test('events: cut off is an error, refused says why, aborted is an end', async () => {
  let status = 200;
  await engine((_, response) => {
    response.writeHead(status);
    response.write(status === 200 ? event(1, 'start') : '{"message":"forbidden by proxy"}');
    setTimeout(() => (status === 200 ? response.destroy() : response.end()), 10);
  });
  const signal = new AbortController().signal;
  await expect(docker.events({ onEvent: () => {}, signal })).rejects.toMatchObject({ code: 'ECONNRESET' });
  status = 403;
  await expect(docker.events({ onEvent: () => {}, signal })).rejects.toMatchObject({ status: 403 });
  status = 200;
  const stop = new AbortController();
  await docker.events({ onEvent: () => stop.abort(), signal: stop.signal });
  await docker.events({ onEvent: () => expect.unreachable(), signal: stop.signal });
});

test('without an engine every call says so', async () => {
  const message = `no Docker socket at ${socket}: Docker is not installed or not running`;
  await expect(docker.list()).rejects.toMatchObject({ message, code: 'ENOENT' });
  await expect(docker.events({ onEvent: () => {}, signal: new AbortController().signal })).rejects.toThrow(
    message,
  );
});

test('the table: one that is gone is left out, one that cannot be inspected has what the list tells', async () => {
  const items = ['gone', 'broken', 'fine'].map((Id) => ({
    Id,
    Names: [`/${Id}`],
    State: 'running',
    Status: 'Up 2 days',
  }));
  await engine((request, response) => {
    if (request.url?.includes('gone/')) response.writeHead(404).end('{}');
    else if (request.url?.includes('broken/')) response.writeHead(500).end('{}');
    else if (request.url?.includes('fine/'))
      response.end('{"Id":"fine","Name":"/fine","State":{"Status":"paused","Pid":3}}');
    else response.end(JSON.stringify(items));
  });
  const table = await readContainers(docker, new AbortController().signal);
  expect(table.map(({ name, state }) => [name, state])).toEqual([
    ['broken', 'running'],
    ['fine', 'paused'],
  ]);
});

test('the own container is recognised by what Docker mounts into it, or by its cgroup', () => {
  const id = '0123456789abcdef'.repeat(4);
  const files = (mounts: string, groups: string) =>
    ({ textOr: (path: string) => (path === '/proc/self/mountinfo' ? mounts : groups) }) as Files;
  const mount = `9 8 254:1 /var/lib/docker/containers/${id}/hostname /etc/hostname rw - ext4 /dev/vda1 rw\n`;
  expect(selfContainerId(files(mount, '0::/'))).toBe(id);
  expect(selfContainerId(files('', `0::/system.slice/docker-${id}.scope\n`))).toBe(id);
  expect(selfContainerId(files('', `4:memory:/docker/${id}\n0::/\n`))).toBe(id);
  expect(selfContainerId(files(mount.replace('/etc/', '/mnt/'), '0::/user.slice\n'))).toBeUndefined();
});
