import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPostgres } from '../../src/collectors/postgres.ts';
import { collectorDeps, patience, type TestDeps } from '../helpers/collector-deps.ts';
import { startPostgres, type PostgresServer } from '../helpers/postgres-server.ts';

let primary: PostgresServer;
let standby: PostgresServer;

beforeAll(async () => {
  primary = await startPostgres();
  await primary.sql("CREATE ROLE anyone LOGIN PASSWORD 'anyone'");
  standby = await startPostgres({ standbyOf: primary });
});
afterAll(async () => {
  await standby.remove();
  await primary.remove();
});

function collect(server: PostgresServer, user = 'postgres', password = server.password) {
  const target = {
    host: server.host,
    port: server.port,
    user,
    password,
    database: 'postgres',
    how: 'a test',
  };
  const deps: TestDeps = collectorDeps({ postgres: target });
  return createPostgres(deps);
}
async function read(collector: ReturnType<typeof collect>) {
  const values = await collector.read(patience());
  if ('absent' in values) throw new Error(values.absent);
  return values;
}

test('a standby is one, with and without its primary, whoever asks; the slot keeps WAL for it; promoted, it is none', async () => {
  const [ofPrimary, ofStandby, plain] = [
    collect(primary),
    collect(standby),
    collect(standby, 'anyone', 'anyone'),
  ];
  await expect.poll(async () => (await read(ofStandby)).standby).toMatchObject({ receiving: true });
  // One that may not see settings does not know whether there is a primary.
  expect((await read(plain)).standby).not.toHaveProperty('receiving');
  await expect
    .poll(async () => (await read(ofPrimary)).slot)
    .toMatchObject({ name: 'standby', active: true });
  expect(await read(ofPrimary)).not.toHaveProperty('standby');

  await standby.sql('SELECT pg_wal_replay_pause()');
  await primary.sql('CREATE TABLE things AS SELECT generate_series(1, 50000) AS id');
  await expect.poll(async () => (await read(ofStandby)).standby?.waitingBytes).toBeGreaterThan(1_000_000);
  await expect.poll(async () => (await read(ofStandby)).standby?.behindSec).toBeGreaterThan(0);
  await standby.sql('SELECT pg_wal_replay_resume()');
  await expect
    .poll(async () => (await read(ofStandby)).standby)
    .toMatchObject({ waitingBytes: 0, behindSec: 0 });

  await primary.stop();
  await expect.poll(async () => (await read(ofStandby)).standby).toMatchObject({ receiving: false });
  await primary.start();
  await expect.poll(async () => (await read(ofStandby)).standby).toMatchObject({ receiving: true });

  await standby.sql('SELECT pg_promote()');
  await expect.poll(async () => await read(ofStandby)).not.toHaveProperty('standby');
  await primary.sql('CREATE TABLE more AS SELECT generate_series(1, 50000) AS id');
  await expect.poll(async () => (await read(ofPrimary)).slot).toMatchObject({ active: false, lost: false });
  expect((await read(ofPrimary)).slot?.keptBytes).toBeGreaterThan(1_000_000);
  // A slot may be bounded; then it is lost instead of the disk.
  await primary.sql("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'");
  await primary.sql('SELECT pg_reload_conf()');
  for (let n = 0; n < 3; n++) await primary.sql('SELECT pg_switch_wal(); CREATE TABLE x (); DROP TABLE x');
  await primary.sql('CHECKPOINT');
  await expect.poll(async () => (await read(ofPrimary)).slot?.lost).toBe(true);
  for (const collector of [ofPrimary, ofStandby, plain]) await collector.close?.();
});

test('a server that refuses what is asked about replication is read without it', async () => {
  await primary.sql('REVOKE EXECUTE ON FUNCTION pg_last_wal_receive_lsn() FROM public');
  const collector = collect(primary, 'anyone', 'anyone');
  const values = await read(collector);
  expect(values).toMatchObject({ connections: { max: 20 }, oldest: { transactions: expect.any(Number) } });
  expect(values).not.toHaveProperty('slot');
  await collector.close?.();
});
