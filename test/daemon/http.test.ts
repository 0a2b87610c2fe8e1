import { request } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { serveHttp } from '../../src/daemon/http.ts';
import { parseListen } from '../../src/config/listen.ts';

function ask(
  address: string,
  path: string,
  method = 'GET',
): Promise<{ status: number; body: string; type: string }> {
  const [host, port] = address.split(':');
  return new Promise((resolve, reject) => {
    request({ host, port, path, method }, (response) => {
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
        client.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1000), resolve),
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
