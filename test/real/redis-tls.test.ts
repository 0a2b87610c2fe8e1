// A server with a certificate of its own, which openssl makes: Node cannot.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { openRedis } from '../../src/system/redis/redis.ts';

function open(port: number, change: Partial<Parameters<typeof openRedis>[0]> = {}) {
  return openRedis({ host: '127.0.0.1', port, password: 's3cret-enough', db: 0, tls: false, ...change });
}

describe('N13: TLS', () => {
  const dir = mkdtempSync(join(tmpdir(), 'vpsmon-tls-'));
  afterAll(() => rmSync(dir, { recursive: true }));
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
  beforeAll(() => {
    // prettier-ignore
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key,
      '-out', cert, '-days', '2', '-subj', '/CN=redis.test', '-addext', 'subjectAltName=DNS:redis.test'], { stdio: 'ignore' });
  });
  async function startTls(): Promise<number> {
    const secure = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) => {
      socket.on('error', () => {});
      socket.on('data', (data) => socket.write('+OK\r\n'.repeat(data.toString().split('*').length - 1)));
    });
    secure.on('tlsClientError', () => {});
    await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void secure.close());
    return (secure.address() as { port: number }).port;
  }

  test('an own authority works when it is named, and is asked for when not', async () => {
    const port = await startTls();
    const trusting = open(port, { tls: true, tlsCa: cert, tlsName: 'redis.test' });
    expect(await trusting.call('PING')).toBe('OK');
    await trusting.close();
    await expect(open(port, { tls: true, tlsName: 'redis.test' }).call('PING')).rejects.toThrow(
      `Redis at 127.0.0.1:${port}: its certificate is of no known authority: set REDIS_TLS_CA`,
    );
    await expect(open(port, { tls: true, tlsCa: cert }).call('PING')).rejects.toThrow(
      'IP: 127.0.0.1 is not in',
    );
    await expect(open(port, { tls: true, tlsCa: join(dir, 'none') }).call('PING')).rejects.toThrow(
      'REDIS_TLS_CA: ENOENT',
    );
  });
  test('a plain connection to a port that speaks TLS says so', async () => {
    const port = await startTls();
    await expect(open(port).call('PING')).rejects.toThrow(
      `Redis at 127.0.0.1:${port}: it speaks TLS: write rediss:// in REDIS_URL`,
    );
  });
});
