import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { collectorDeps, patience } from '../helpers/collector-deps.ts';
import { createPostgres, hitPercent, parseBlocks, parsePostgres } from '../../src/collectors/postgres.ts';
import type { Blocks } from '../../src/collectors/postgres.ts';

const blocks = (hit: number, read: number, change: { server?: string; reset?: number } = {}): Blocks => ({
  server: change.server ?? 's',
  databases: { 5: { reset: change.reset ?? 1, hit, read } },
});

describe('the cache over an interval', () => {
  test.each<[string, Blocks | undefined, Blocks, number | undefined]>([
    ['the first look', undefined, blocks(1_000_000, 0), undefined],
    ['all found', blocks(1000, 50), blocks(3000, 50), 100],
    ['half found', blocks(1000, 1000), blocks(2000, 2000), 50],
    ['nothing found', blocks(0, 0), blocks(0, 5000), 0],
    ['999 blocks', blocks(0, 0), blocks(900, 99), undefined],
    ['1,000 blocks', blocks(0, 0), blocks(900, 100), 90],
    ['nothing happened', blocks(1000, 0), blocks(1000, 0), undefined],
    ['counters went back', blocks(10_000, 0), blocks(500, 20), undefined],
    ['reset in between, and beyond where it was', blocks(100, 0), blocks(5000, 0, { reset: 2 }), undefined],
    ['the server was started again', blocks(100, 0), blocks(5000, 0, { server: 't' }), undefined],
  ])('%s', (_name, before, now, percent) => {
    expect(hitPercent(before, now)).toBe(percent);
  });

  test('a new database counts, a reset one does not spoil the others', () => {
    const before: Blocks = {
      server: 's',
      databases: { 1: { reset: 1, hit: 100, read: 0 }, 2: { reset: 1, hit: 9000, read: 0 } },
    };
    const now: Blocks = {
      server: 's',
      databases: {
        1: { reset: 1, hit: 1000, read: 100 },
        2: { reset: 7, hit: 10, read: 10 },
        3: { reset: 0, hit: 0, read: 1000 },
      },
    };
    expect(hitPercent(before, now)).toBe(45);
  });
});

const row = {
  version: '16.4 (Debian 16.4-1.pgdg120+1)',
  max_connections: '100',
  reserved: '3',
  hidden: '0',
  size: '7893039',
  started: '1700000000.5',
  blocks: '[["0",null,10,2],["5",1700000000.25,1000,50]]',
  total: '9',
  active: '2',
  idle: '3',
  in_transaction: '1',
  longest: '12.5',
};

test('the answer in numbers', () => {
  expect(parsePostgres(row)).toEqual({
    version: '16.4',
    connections: { active: 2, idle: 3, idleInTransaction: 1, other: 3, total: 9, max: 100, reserved: 3 },
    databaseSizeBytes: 7_893_039,
    longestTransactionSec: 12.5,
  });
  expect(parseBlocks(row, 'h:1')).toEqual({
    server: 'h:1 1700000000.5',
    databases: { 0: { reset: 0, hit: 10, read: 2 }, 5: { reset: 1_700_000_000.25, hit: 1000, read: 50 } },
  });
  expect(parsePostgres({ ...row, longest: null }).longestTransactionSec).toBe(0);
  expect(parsePostgres({ ...row, longest: '-0.001' }).longestTransactionSec).toBe(0);
});

test('N2: the narrowest limit of a database or a user', () => {
  const { connections } = parsePostgres({ ...row, narrowest: '["database", "app", 9, 10]' });
  expect(connections.narrowest).toEqual({ of: 'database', name: 'app', used: 9, max: 10 });
  expect(() => parsePostgres({ ...row, narrowest: '[1]' })).toThrow('no limit of connections');
});

test('N1: the longest transaction is unknown, not 0, where sessions of others are hidden', () => {
  const values = parsePostgres({ ...row, longest: null, hidden: '14' });
  expect(values).not.toHaveProperty('longestTransactionSec');
});

test.each(['total', 'size', 'max_connections'])('no number for %s is an error, not a zero', (key) => {
  for (const value of [undefined, null, '', 'many', '1e999']) {
    expect(() => parsePostgres({ ...row, [key]: value })).toThrow(`no number for ${key}`);
  }
});

const message = (type: string, body: string | Buffer = '') => {
  const head = Buffer.alloc(5, type);
  head.writeUInt32BE(Buffer.byteLength(body) + 4, 1);
  return Buffer.concat([head, Buffer.from(body)]);
};

/** One row in PostgreSQL's form. */
function asRow(row: Record<string, string>): Buffer {
  const columns = Object.keys(row).map((name) => Buffer.concat([Buffer.from(`${name}\0`), Buffer.alloc(18)]));
  const values = Object.values(row).map((value) =>
    Buffer.concat([Buffer.from([0, 0, 0, value.length]), Buffer.from(value)]),
  );
  const count = Buffer.from([0, columns.length]);
  return Buffer.concat([
    message('T', Buffer.concat([count, ...columns])),
    message('D', Buffer.concat([count, ...values])),
  ]);
}

test('N1: a server of 9.6, which knows no kinds of sessions, is asked without them from then on', async () => {
  const row = Object.fromEntries(
    'version=9.6.24 max_connections=100 reserved=3 size=1 started=1 blocks=[] total=7 active=1 idle=2 in_transaction=0 hidden=7 longest=0'
      .split(' ')
      .map((field) => field.split('=') as [string, string]),
  );
  const asked: string[] = [];
  const server = createServer((socket) => {
    let begun = false;
    socket.on('error', () => {});
    socket.on('data', (data) => {
      const ready = message('Z', 'I');
      const text = data.toString('latin1');
      if (!begun) socket.write(Buffer.concat([message('R', Buffer.alloc(4)), ready]));
      else if (!text.includes('pg_stat_activity'))
        socket.write(Buffer.concat([message('1'), message('2'), message('C', 'OK\0'), ready]));
      else if (text.includes('backend_type')) {
        asked.push('as of 10');
        socket.write(Buffer.concat([message('E', 'SERROR\0C42703\0Mno such column\0\0'), ready]));
      } else {
        asked.push('as of 9.6');
        socket.write(Buffer.concat([message('1'), message('2'), asRow(row), message('C', 'OK\0'), ready]));
      }
      begun = true;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const target = { host: '127.0.0.1', port, user: 'u', password: '', database: 'd', how: 'a test' };
  const collector = createPostgres(collectorDeps({ postgres: target }));
  for (const _ of [1, 2])
    expect(await collector.read(patience())).toMatchObject({ version: '9.6.24', connections: { total: 7 } });
  expect(asked).toEqual(['as of 10', 'as of 9.6', 'as of 9.6']);
  await collector.close?.();
  server.close();
});

describe('replication', () => {
  const read = (replication: unknown) =>
    parsePostgres({ ...row, replication: replication === null ? null : JSON.stringify(replication) });

  test.each([
    [null, {}],
    [{ standby: null, slot: null }, {}],
    [
      { standby: { receiving: true, waiting: 0, behind: 5000 }, slot: null },
      { standby: { receiving: true, waitingBytes: 0, behindSec: 0 } },
    ],
    [
      { standby: { receiving: null, waiting: 900, behind: 12.5 }, slot: null },
      { standby: { waitingBytes: 900, behindSec: 12.5 } },
    ],
    [
      { standby: { receiving: false, waiting: null, behind: null }, slot: null },
      { standby: { receiving: false, waitingBytes: 0, behindSec: 0 } },
    ],
    [
      { standby: null, slot: { name: 'a', active: false, kept: -5, lost: true } },
      { slot: { name: 'a', active: false, keptBytes: 0, lost: true } },
    ],
  ])('%j', (answer, expected) => {
    const { standby, slot } = read(answer);
    expect({ ...(standby && { standby }), ...(slot && { slot }) }).toEqual(expected);
  });

  test('an answer that is none is an error', () => {
    expect(() => read({ standby: 'yes', slot: null })).toThrow('nothing usable about replication');
  });
});

test('the database that was not frozen for longest', () => {
  expect(parsePostgres({ ...row, oldest: '["shop", 1048575278]' }).oldest).toEqual({
    database: 'shop',
    transactions: 1_048_575_278,
  });
  expect(() => parsePostgres({ ...row, oldest: '[]' })).toThrow('no age of its databases');
});
