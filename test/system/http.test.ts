import { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import type { request as createRequest } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, test } from 'vitest';
import { createN8nApi } from '../../src/system/apps/n8n.ts';
import { createWahaApi } from '../../src/system/apps/waha.ts';
import { exchange } from '../../src/system/http/exchange.ts';
import { httpRequest } from '../../src/system/http/http.ts';
import { freePort } from '../helpers/free-port.ts';
import { startTcp } from '../helpers/tcp-server.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

async function serve(handler: (request: IncomingMessage, response: ServerResponse) => void, path?: string) {
  const server = createServer(handler);
  await new Promise<void>((resolve) =>
    path ? server.listen(path, resolve) : server.listen(0, '127.0.0.1', resolve),
  );
  open.push({
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  });
  const address = server.address();
  return typeof address === 'object' ? `http://127.0.0.1:${address?.port}` : '';
}

async function tcp(options: Parameters<typeof startTcp>[0]) {
  const server = await startTcp(options);
  open.push(server);
  return `http://127.0.0.1:${server.port}`;
}

const SECRET = '/bot123:SECRET/sendMessage?key=SECRET';

test('sends what it is given and resolves for every status', async () => {
  const base = await serve((request, response) => {
    let body = '';
    request.on('data', (part) => (body += part));
    request.on('end', () => {
      response.writeHead(503, { 'X-Test': 'yes', 'Set-Cookie': ['a=1', 'b=2'] });
      response.end(`${request.method} ${request.url} ${request.headers['x-key']} ${body}`);
    });
  });
  const answer = await httpRequest({
    url: `${base}/a?b=c`,
    method: 'POST',
    headers: { 'X-Key': 'k' },
    body: 'ä',
    timeoutMs: 60_000,
  });
  expect(answer).toMatchObject({ status: 503, body: 'POST /a?b=c k ä' });
  expect(answer.headers).toMatchObject({ 'x-test': 'yes', 'set-cookie': 'a=1, b=2' });
});

test('name and password of the URL become a header', async () => {
  const base = await serve((request, response) => response.end(request.headers.authorization));
  const { body } = await httpRequest({ url: base.replace('//', '//me:p%40ss@'), timeoutMs: 60_000 });
  expect(body).toBe(`Basic ${Buffer.from('me:p@ss').toString('base64')}`);
});

test('talks to a unix socket', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'vpsmon-http-'));
  open.push({ close: () => rmSync(dir, { recursive: true }) });
  const socketPath = join(dir, 's.sock');
  await serve((request, response) => response.end(request.url), socketPath);
  expect((await httpRequest({ url: 'http://x/path', socketPath, timeoutMs: 60_000 })).body).toBe('/path');
});

test('an answer that is too long is an error', async () => {
  const base = await serve((_, response) => response.end('x'.repeat(2000)));
  const request = { url: base + SECRET, timeoutMs: 60_000, maxBytes: 1000 };
  await expect(httpRequest(request)).rejects.toMatchObject({ code: 'ETOOLONG' });
});

test('H9: an answer in pieces of one byte takes little more memory than its bytes', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const held = () => {
    collect();
    return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
  };
  const call = Object.assign(new EventEmitter(), { end: () => {}, destroy: () => {} });
  const send = (() => call) as unknown as typeof createRequest;
  const asked = exchange({ send, options: {}, peer: 'x', timeoutMs: 60_000, maxBytes: 1_048_576 });
  const answer = Object.assign(new EventEmitter(), { statusCode: 200, headers: {} });
  call.emit('response', answer);
  const before = held();
  for (let at = 0; at < 300_000; at += 1) answer.emit('data', Buffer.from(String(at % 10)));
  expect(held() - before).toBeLessThan(4_000_000);
  answer.emit('end');
  const { body } = await asked;
  expect(body.length).toBe(300_000);
  expect(body.toString('latin1', 99_999, 100_005)).toBe('901234');
});

test.each([
  ['that only ever announces itself', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(20)],
  ['with hints without end', 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'.repeat(20)],
  ['that becomes something else', 'HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'],
])('H9: an answer %s is given up', async (_what, answer) => {
  const asked = httpRequest({ url: (await tcp({ answer })) + SECRET, timeoutMs: 60_000 });
  await expect(asked).rejects.toMatchObject({ message: expect.stringContaining('does not speak HTTP') });
});

test('a few words before an answer are no fault', async () => {
  const words = 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(3);
  const base = await tcp({ answer: `${words}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok` });
  expect(await httpRequest({ url: base, timeoutMs: 60_000 })).toMatchObject({ status: 200, body: 'ok' });
});

test('the deadline is for the whole exchange, however slowly it comes', async () => {
  const timers: NodeJS.Timeout[] = [];
  const base = await serve((_, response) => {
    timers.push(setInterval(() => response.write('.'), 20));
  });
  const failed = await httpRequest({ url: base + SECRET, timeoutMs: 200 }).catch((error: unknown) => error);
  for (const timer of timers) clearInterval(timer);
  expect(failed).toMatchObject({ code: 'ETIMEDOUT', message: expect.stringContaining('within 0.2 s') });
});

test('an abort ends it', async () => {
  const base = await tcp({});
  const stop = new AbortController();
  const asked = httpRequest({ url: base, timeoutMs: 60_000, signal: stop.signal });
  setTimeout(() => stop.abort(), 10);
  await expect(asked).rejects.toMatchObject({ code: 'ABORT_ERR' });
  await expect(httpRequest({ url: base, timeoutMs: 60_000, signal: stop.signal })).rejects.toMatchObject({
    code: 'ABORT_ERR',
  });
});

test.each([
  ['refused', async () => `http://127.0.0.1:${await freePort()}`, 'ECONNREFUSED'],
  ['not HTTP', () => tcp({ greeting: 'SSH-2.0-OpenSSH_9.2\r\n' }), 'HPE_INVALID_CONSTANT'],
  [
    'cut off in the middle',
    async () =>
      serve((_, response) => {
        response.writeHead(200, { 'Content-Length': '1000' });
        response.write('half');
        setImmediate(() => response.destroy());
      }),
    'ECONNRESET',
  ],
  ['closed at once', async () => serve((request) => request.socket.destroy()), 'ECONNRESET'],
  ['a name that is not there', async () => 'http://nowhere.invalid', /ENOTFOUND|EAI_AGAIN/],
])('%s: a plain error with its code, without path, query or password', async (_, where, code) => {
  const url = (await where()).replace('//', '//me:SECRET@') + SECRET;
  const error = (await httpRequest({ url, timeoutMs: 60_000 }).catch((e: unknown) => e)) as Error & {
    code: string;
  };
  expect(error).toBeInstanceOf(Error);
  expect(error.code).toMatch(code);
  expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toContain('SECRET');
});

test.each(['nonsense SECRET', 'ftp://x/SECRET', 'http://x y/SECRET'])(
  '%s is refused without repeating it',
  async (url) => {
    const error = (await httpRequest({ url, timeoutMs: 60_000 }).catch((e: unknown) => e)) as Error;
    expect(error.message).not.toContain('SECRET');
  },
);

test('a header that cannot be sent is an error that does not show it', async () => {
  const base = await serve((_, response) => response.end());
  const asked = httpRequest({ url: base, headers: { 'X-Api-Key': 'SECRET\nx' }, timeoutMs: 60_000 });
  const error = (await asked.catch((e: unknown) => e)) as Error;
  expect(error).toBeInstanceOf(Error);
  expect(error.message).not.toContain('SECRET');
});

test('H5: a redirect is an answer, and takes no key elsewhere', async () => {
  const asked: string[] = [];
  const elsewhere = await serve((request, response) => {
    asked.push(`${request.url} ${JSON.stringify(request.headers)}`);
    response.end('[]');
  });
  for (const status of [301, 302, 303, 307, 308]) {
    const base = await serve((_request, response) =>
      response.writeHead(status, { Location: `${elsewhere}/taken`, Refresh: `0; url=${elsewhere}` }).end(),
    );
    const target = { url: base, apiKey: 'k3y-enough', how: 'WAHA_URL' };
    await expect(createWahaApi(httpRequest, target).list()).rejects.toThrow(`answered ${status}`);
    await expect(createWahaApi(httpRequest, target).restart('default')).rejects.toThrow(`answered ${status}`);
    await expect(createN8nApi(httpRequest, target).listActive()).rejects.toThrow(`answered ${status}`);
    await expect(createN8nApi(httpRequest, target).deactivate('1')).rejects.toThrow(`answered ${status}`);
  }
  expect(asked).toEqual([]);
});

test('H5: an HTTP proxy of the environment is not asked for what stands beside the monitor', async () => {
  const asked: string[] = [];
  const proxy = await serve((request, response) => {
    asked.push(request.url ?? '');
    response.end('[]');
  });
  const before = process.env['http_proxy'];
  process.env['http_proxy'] = proxy;
  try {
    const near = [
      'http://10.1.2.3:1',
      'http://172.20.0.5:1',
      'http://[fd00::1]:1',
      'http://100.64.0.1:1',
      'http://n8n:1',
      'http://localhost:1',
    ];
    for (const url of near)
      await httpRequest({ url, headers: { 'X-N8N-API-KEY': 'k3y' }, timeoutMs: 50 }).catch(() => undefined);
    expect(asked).toEqual([]);
  } finally {
    if (before === undefined) delete process.env['http_proxy'];
    else process.env['http_proxy'] = before;
  }
});

test('H9: a page of millions of values is asked for by ten, and given up', async () => {
  const asked: (string | null)[] = [];
  const base = await serve((request, response) => {
    asked.push(new URL(request.url ?? '', 'http://x').searchParams.get('limit'));
    response.end(`{"data":[${'{},'.repeat(400_000)}{}]}`);
  });
  const api = createN8nApi(httpRequest, { url: base, apiKey: 'k', how: 'a test' });
  await expect(api.listActive()).rejects.toThrow('larger than anything that can be read here');
  expect(asked).toEqual(['100', '10']);
});
