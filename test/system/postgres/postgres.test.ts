import { afterEach, expect, test } from 'vitest';
import { openPostgres } from '../../../src/system/postgres/postgres.ts';
import { freePort } from '../../helpers/free-port.ts';
import { startTcp } from '../../helpers/tcp-server.ts';
import type { TcpServer } from '../../helpers/tcp-server.ts';

let server: TcpServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const SECRET = 's3cret-enough';
function open(port: number, host = '127.0.0.1') {
  return openPostgres({ host, port, user: 'u', password: SECRET, database: 'd' });
}

test('a server that accepts and never answers is given up in time, once for all who wait', async () => {
  server = await startTcp();
  const postgres = open(server.port);
  const both = await Promise.allSettled([postgres.query('SELECT 1'), postgres.query('SELECT 2')]);
  expect(both.map((one) => String((one as PromiseRejectedResult).reason))).toEqual(
    Array(2).fill(`Error: PostgreSQL at 127.0.0.1:${server.port}: no answer within 2.5 s`),
  );
  expect(server.connections()).toBe(1);
  await postgres.close();
});

/** What a server says that is none, or one that went mad: unknown authentication, cut messages, absurd lengths. */
const NONSENSE: [string, Buffer][] = [
  ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')],
  ['SSH', Buffer.from('SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n')],
  ['Redis', Buffer.from("-ERR unknown command 'x'\r\n")],
  ['an unknown way to log in', Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 99])],
  ['a message that ends in the middle of itself', Buffer.from([0x52, 0, 0, 0, 4])],
  ['an error without an end', Buffer.from([0x45, 0, 0, 0, 6, 0x53, 0x46])],
  ['a row before any question', Buffer.from([0x44, 0, 0, 0, 10, 0, 1, 0, 0, 0, 9])],
  ['zeros', Buffer.alloc(4096)],
  ['ones', Buffer.alloc(4096, 0xff)],
  ['a row description that lies', Buffer.from([0x54, 0, 0, 0, 6, 0x7f, 0xff])],
  ['completed at once', Buffer.from([0x43, 0, 0, 0, 6, 0x58, 0])],
];

test.concurrent.each(NONSENSE)('nonsense is an error and never a crash: %s', async (_name, bytes) => {
  for (const where of ['greeting', 'answer'] as const) {
    const mad = await startTcp({ [where]: bytes });
    const postgres = open(mad.port);
    const error = await postgres.query('SELECT 1', [], 200).catch((thrown: unknown) => thrown as Error);
    expect(error).toBeInstanceOf(Error);
    expect(String(error)).toContain(`127.0.0.1:${mad.port}`);
    expect(String(error)).not.toContain(SECRET);
    await postgres.close();
    await mad.close();
  }
});

test('a server that is ready for everything and answers nothing gives no rows', async () => {
  server = await startTcp({ answer: Buffer.from([0x5a, 0, 0, 0, 5, 0x49]) });
  const postgres = open(server.port);
  await expect.poll(() => postgres.query('SELECT 1').catch(String)).toEqual([]);
  await postgres.close();
});

test('nobody listening, and a name that nobody knows', async () => {
  const port = await freePort();
  await expect(open(port).query('SELECT 1')).rejects.toThrow(`nothing listens at 127.0.0.1:${port}`);
  await expect(open(port, 'no-such-host.invalid').query('SELECT 1')).rejects.toThrow(
    'the host name no-such-host.invalid is not known here',
  );
  await expect(open(5432, '/no/such/folder').query('SELECT 1')).rejects.toThrow(
    'nothing listens at /no/such/folder',
  );
});

test('loading pg leaves no trace in the globals', async () => {
  const port = await freePort();
  await open(port)
    .query('SELECT 1')
    .catch(() => {});
  expect('navigator' in globalThis).toBe(Number(process.versions.node.split('.')[0]) >= 21);
});

test('N3: a server that takes TLS only is known by its SQLSTATE, whatever language it speaks', async () => {
  const fields = ['SFATAL', 'C28000', 'Mkein pg_hba.conf-Eintrag für Host »10.0.0.9«, keine Verschlüsselung'];
  const body = Buffer.from(fields.map((field) => `${field}\0`).join('') + '\0');
  const head = Buffer.alloc(5, 'E');
  head.writeUInt32BE(body.length + 4, 1);
  server = await startTcp({ answer: Buffer.concat([head, body]) });
  const postgres = open(server.port);
  // This one has no TLS after all: what it said at first is told, not what the second try met.
  await expect(postgres.query('SELECT 1')).rejects.toThrow('keine Verschlüsselung');
  expect(server.connections()).toBe(2);
  await postgres.close();
});
