import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { httpRequest, wantsProxy } from '../../src/system/http/http.ts';

/** A real forward proxy: CONNECT for https, whole URLs for http. It answers for every host itself. */
let proxy: Server;
let target: Server;
const seen: string[] = [];
const portOf = (server: Server) => (server.address() as AddressInfo).port;
beforeAll(async () => {
  target = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => response.end(`${request.method} ${request.url} ${body}`));
  });
  proxy = createServer();
  proxy.on('connect', (request, socket) => {
    seen.push(`CONNECT ${request.url}`);
    const up = connect(portOf(target), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      up.pipe(socket).pipe(up);
    });
    up.on('error', () => socket.destroy());
    socket.on('error', () => up.destroy());
  });
  await Promise.all(
    [proxy, target].map((server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))),
  );
});
afterAll(() => [proxy, target].forEach((server) => server.close()));
afterEach(() => {
  delete process.env['HTTP_PROXY'];
  seen.length = 0;
});

describe('a proxy of the environment', () => {
  it('is used for public hosts', async () => {
    process.env['HTTP_PROXY'] = `http://127.0.0.1:${portOf(proxy)}`;
    const answer = await httpRequest({
      url: 'http://api.example.org/x?y=1',
      method: 'POST',
      body: 'hello',
      timeoutMs: 60_000,
    });
    expect(answer).toMatchObject({ status: 200, body: 'POST /x?y=1 hello' });
    expect(seen).toEqual(['CONNECT api.example.org:80']);
  });

  it('is not asked for what stands on this server', async () => {
    process.env['HTTP_PROXY'] = 'http://127.0.0.1:1';
    const answer = await httpRequest({ url: `http://127.0.0.1:${portOf(target)}/near`, timeoutMs: 60_000 });
    expect(answer.body).toBe('GET /near ');
  });

  it('that is away is an error without path or query', async () => {
    process.env['HTTP_PROXY'] = 'http://127.0.0.1:1';
    await expect(
      httpRequest({ url: 'http://api.example.org/secret?token=1', timeoutMs: 60_000 }),
    ).rejects.toThrow(/^api\.example\.org \(through the proxy\)(?!.*(secret|token))/);
  });
});

describe('wantsProxy', () => {
  const env = { HTTPS_PROXY: 'http://proxy:3128', HTTP_PROXY: 'http://proxy:3128' };
  it.each(['https://api.telegram.org/x', 'http://example.org', 'https://8.8.8.8/'])('%s', (url) => {
    expect(wantsProxy(new URL(url), env)).toBe(true);
    expect(wantsProxy(new URL(url), {})).toBe(false);
  });
  it.each([
    'http://172.17.0.2:3000',
    'http://waha:3000',
    'http://localhost',
    'http://[::1]:80',
    'https://192.168.1.4',
    'http://[fd00::1]/',
  ])('not for %s', (url) => {
    expect(wantsProxy(new URL(url), env)).toBe(false);
  });
});
