import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { serveHttp, serveSocket } from '../../src/daemon/http.ts';
import { httpRequest } from '../../src/system/http/http.ts';
import { parseListen } from '../../src/config/parse-value.ts';

function ask(
  address: string,
  path: string,
  method = 'GET',
  headers: Record<string, string> = {},
): Promise<{ status: number; body: string; type: string }> {
  const [host, port] = address.split(':');
  return new Promise((resolve, reject) => {
    request({ host, port, path, method, headers, agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body, type: String(response.headers['content-type']) }),
      );
    })
      .on('error', reject)
      .end();
  });
}

const pages = { health: () => ({ status: 200, body: { status: 'healthy' } }), metrics: () => 'up 1\n' };

describe('serveHttp', () => {
  it('answers the two pages and nothing that changes anything', async () => {
    const server = await serveHttp('127.0.0.1:0', pages);
    try {
      expect(await ask(server.address, '/health')).toMatchObject({
        status: 200,
        body: '{"status":"healthy"}\n',
      });
      expect(await ask(server.address, '/metrics?x=1')).toMatchObject({
        status: 200,
        body: 'up 1\n',
        type: expect.stringContaining('version=0.0.4'),
      });
      expect(await ask(server.address, '/')).toMatchObject({ status: 404 });
      expect(await ask(server.address, '/health', 'HEAD')).toMatchObject({ status: 200, body: '' });
      for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'])
        expect((await ask(server.address, '/health', method)).status).toBe(405);
    } finally {
      await server.close();
    }
  });

  it('stops making pages for a client that asks on and on over one connection', async () => {
    let made = 0;
    const server = await serveHttp('127.0.0.1:0', {
      ...pages,
      metrics() {
        made += 1;
        return 'x'.repeat(200_000);
      },
    });
    const [host, port] = server.address.split(':');
    const client = connect(Number(port), host);
    client.on('error', () => undefined);
    try {
      client.pause();
      const ended = new Promise((resolve) => client.once('close', resolve));
      await new Promise((resolve) =>
        client.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(1000), resolve),
      );
      client.resume();
      client.end();
      await ended;
      expect(made).toBe(8);
    } finally {
      client.destroy();
      await server.close();
    }
  });

  it.each([
    ['localhost', 200],
    ['localhost:8080', 200],
    ['LOCALHOST.', 200],
    ['app.localhost:1', 200],
    ['127.0.0.1', 200],
    ['127.8.9.10:8080', 200],
    ['[::1]', 200],
    ['[0:0:0:0:0:0:0:1]:8080', 200],
    ['[::ffff:127.0.0.1]:8080', 200],
    ['monitor.example.org', 200],
    ['monitor.example.org:443', 200],
    ['evil.example', 403],
    ['evil.example:8080', 403],
    ['127.0.0.1.evil.example', 403],
    ['localhost.evil.example', 403],
    ['evil', 403],
    ['192.0.2.7:8080', 403],
    ['[2001:db8::1]:8080', 403],
    ['localhost@evil.example', 403],
    ['a b', 403],
  ])('R8: on loopback, a request for the host %j gets %i', async (Host, status) => {
    const server = await serveHttp('127.0.0.1:0', pages, ['monitor.example.org']);
    try {
      for (const path of ['/health', '/metrics'])
        expect((await ask(server.address, path, 'GET', { Host })).status).toBe(status);
    } finally {
      await server.close();
    }
  });

  it.each([
    ['10.1.2.3:8080', 200],
    ['[2001:db8::1]:8080', 200],
    ['vpsmon:8080', 200],
    ['localhost', 200],
    ['evil.example', 403],
  ])('R8: on every address, a request for the host %j gets %i', async (Host, status) => {
    const server = await serveHttp('0.0.0.0:0', pages);
    try {
      const address = server.address.replace('0.0.0.0', '127.0.0.1');
      expect((await ask(address, '/health', 'GET', { Host })).status).toBe(status);
    } finally {
      await server.close();
    }
  });

  it('R8: an old client that names no host is answered, two names at once are not', async () => {
    const server = await serveHttp('127.0.0.1:0', pages);
    const [host, port] = server.address.split(':');
    const raw = (text: string) =>
      new Promise<string>((resolve) => {
        let got = '';
        const client = connect(Number(port), host, () => client.write(text));
        client.on('data', (chunk: Buffer) => (got += chunk.toString()));
        client.on('close', () => resolve(got));
        client.on('error', () => resolve(got));
      });
    try {
      expect(await raw('GET /health HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 200/);
      const two = 'Host: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n';
      expect(await raw(`GET /health HTTP/1.1\r\n${two}`)).toMatch(/^HTTP\/1.1 40[03]/);
      expect(await raw('GET /health HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n')).toMatch(
        /^HTTP\/1.1 403/,
      );
      expect(await raw('GET http://evil.example/health HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 40/);
    } finally {
      await server.close();
    }
  });

  it('S19: honest clients get through while 300 slow ones hold on, whichever way they are slow', async () => {
    const server = await serveHttp('127.0.0.1:0', { ...pages, metrics: () => 'x'.repeat(1_000_000) });
    const [host, port] = server.address.split(':');
    const slow = new Set<ReturnType<typeof connect>>();
    const ways = [
      '',
      'GET /health HTTP/1.1\r\nHost: local',
      'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n',
    ];
    let made = 0;
    /** Each one that is dropped comes again, as an attacker's would. */
    const hold = (): void => {
      const client = connect(Number(port), host);
      client.pause();
      client.write(ways[made++ % ways.length] ?? '');
      client.on('error', () => undefined);
      client.on('close', () => {
        if (slow.delete(client)) setTimeout(hold, 50);
      });
      slow.add(client);
    };
    try {
      for (let i = 0; i < 300; i++) hold();
      await new Promise((resolve) => setTimeout(resolve, 200));
      for (let i = 0; i < 20; i++) {
        expect((await ask(server.address, '/health')).status).toBe(200);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    } finally {
      const all = [...slow];
      slow.clear();
      for (const client of all) client.destroy();
      await server.close();
    }
  });

  it('R4: serves the other commands on a socket that only its owner may use, in place of a stale one', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'vpsmon-socket-'));
    const path = join(dir, 'monitor.sock');
    writeFileSync(path, 'left by a monitor that was killed');
    const server = await serveSocket(path, pages);
    try {
      expect(statSync(path).mode & 0o777).toBe(0o600);
      const answer = await httpRequest({
        url: 'http://localhost/metrics',
        socketPath: path,
        timeoutMs: 60_000,
      });
      expect(answer).toMatchObject({ status: 200, body: 'up 1\n' });
    } finally {
      await server.close();
      rmSync(dir, { recursive: true });
    }
  });

  it('keeps its mistakes to itself', async () => {
    const server = await serveHttp('127.0.0.1:0', {
      ...pages,
      metrics() {
        throw new Error('password=hunter2');
      },
    });
    try {
      const answer = await ask(server.address, '/metrics');
      expect(answer.status).toBe(500);
      expect(answer.body).not.toContain('hunter2');
    } finally {
      await server.close();
    }
  });

  it('says which setting cannot be used, and why', async () => {
    const server = await serveHttp('127.0.0.1:0', pages);
    try {
      await expect(serveHttp(server.address, pages)).rejects.toThrow(
        /HTTP_LISTEN=127\.0\.0\.1:\d+ cannot be used: another program listens there/,
      );
    } finally {
      await server.close();
    }
  });
});

describe('parseListen', () => {
  it.each([
    ['127.0.0.1:8080', { host: '127.0.0.1', port: 8080 }],
    [':9100', { host: '127.0.0.1', port: 9100 }],
    ['8080', { host: '127.0.0.1', port: 8080 }],
    ['[::1]:80', { host: '::1', port: 80 }],
    ['0.0.0.0:1', { host: '0.0.0.0', port: 1 }],
    ['*:80', { host: '0.0.0.0', port: 80 }],
  ])('%s', (text, expected) => expect(parseListen(text)).toEqual(expected));
  it.each(['', 'x', '1.2.3.4:', '1.2.3.4:99999', 'a b:80', '::1:80'])('refuses %j', (text) =>
    expect(() => parseListen(text)).toThrow(/expected an address and a port/),
  );
});
