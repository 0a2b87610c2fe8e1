import { expect, test } from 'vitest';
import { parseInfo } from '../../src/collectors/redis.ts';

const INFO = `# Server
redis_version:7.2.5
redis_mode:standalone

# Clients
connected_clients:7
maxclients:10000

# Memory
used_memory:123456789
used_memory_human:117.74M
maxmemory:268435456

# Stats
rejected_connections:3
evicted_keys:42

# Keyspace
db0:keys=120,expires=3,avg_ttl=0
db12:keys=5,expires=0,avg_ttl=0,subexpiry=0
`;

test.each([INFO, INFO.replaceAll('\n', '\r\n')])('a real answer', (info) => {
  expect(parseInfo(info)).toEqual({
    version: '7.2.5',
    usedMemoryBytes: 123_456_789,
    maxMemoryBytes: 268_435_456,
    keys: 125,
    clients: 7,
    evictedTotal: 42,
    rejectedTotal: 3,
    uptimeSec: 0,
    errors: undefined,
  });
});

test('no limit, no keys, Valkey', () => {
  const info = INFO.replace('maxmemory:268435456', 'maxmemory:0')
    .replace(/# Keyspace[^]*/, '')
    .replace('redis_mode', 'valkey_version:8.1.0\nredis_mode');
  expect(parseInfo(info)).toMatchObject({ version: '8.1.0', maxMemoryBytes: null, keys: 0 });
});

test.each(['', 'OK', INFO.replace('used_memory:123456789', 'used_memory:lots'), '<html></html>'])(
  'an answer that is none is an error, not a zero',
  (info) => {
    expect(() => parseInfo(info)).toThrow('Redis said nothing about');
  },
);

test('A9: whatever makes it refuse writes is counted, other errors are not', () => {
  const stats = ['OOM', 'MISCONF', 'READONLY', 'NOREPLICAS', 'ERR', 'WRONGTYPE'];
  const info = `${INFO}# Errorstats\n${stats.map((name) => `errorstat_${name}:count=2\n`).join('')}`;
  expect(parseInfo(info).errors).toBe(8);
});

test.each([
  ['role:master', undefined],
  ['rdb_last_bgsave_status:ok\naof_last_write_status:ok\nrole:master', undefined],
  ['rdb_last_bgsave_status:err\naof_last_write_status:ok', 'rdb'],
  ['rdb_last_bgsave_status:err\naof_last_write_status:err', 'aof'],
  ['role:slave\nslave_read_only:1', 'replica'],
  ['role:slave\nslave_read_only:0', undefined],
])('A9: %j: what keeps it from writing is %s', (lines, expected) => {
  expect(parseInfo(`${INFO}${lines}\n`).unwritable).toBe(expected);
});

test.each([
  ['role:master', undefined],
  ['role:slave\nmaster_host:db1\nmaster_port:6379\nmaster_link_status:up', { address: 'db1:6379', up: true }],
  [
    'role:slave\nmaster_host:db1\nmaster_port:6379\nmaster_link_status:down',
    { address: 'db1:6379', up: false },
  ],
  [
    'role:slave\nmaster_host:db1\nmaster_port:6379\nmaster_link_status:down\nmaster_sync_in_progress:1',
    { address: 'db1:6379', up: true },
  ],
])('%j: its master is %j', (lines, expected) => {
  expect(parseInfo(`${INFO}${lines}\n`).master).toEqual(expected);
});

test('how far it has loaded its data is known while it loads them', () => {
  expect(parseInfo(`${INFO}loading:1\nloading_loaded_perc:3.95\n`).loadingPercent).toBe(3.95);
  expect(parseInfo(`${INFO}loading:0\n`).loadingPercent).toBeUndefined();
});
