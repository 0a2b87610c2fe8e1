// A state folder that version 0.2.0 left (test/fixtures/state/0.2.0): web crashed, db was stopped on request, the health check of
// api fails, flaps came and went four times and was up, and memory was scarce. All of it had been sent.
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Row } from '../../src/containers/types.ts';
import { incidentById } from '../../src/store/incidents.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { recallServices } from '../../src/containers/persist.ts';
import { keptLog } from '../notify/support.ts';
import { createWorld, START, type World } from './world.ts';

let folder: string;
let store: Store;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vpsmon-old-state-'));
  copyFileSync(
    new URL('../fixtures/state/0.2.0/vpsmon.db', import.meta.url).pathname,
    join(folder, 'vpsmon.db'),
  );
  store = openStore(folder, START + 600_000);
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The containers as they were left, and the monitor of today that looks at them. */
function upgraded(): { world: World; notes: string[] } {
  const world = createWorld({}, {}, { store });
  const rows = recallServices(store.db, keptLog()).rows;
  world.deaf(true);
  const same = rows.map((row): Row => {
    const box = world.run(row.name, { health: row.health });
    const { startedAt = 0 } = row;
    Object.assign(box.state, { startedAt });
    if (row.state === 'exited')
      Object.assign(box.state, {
        status: 'exited',
        pid: 0,
        exitCode: row.exitCode ?? 0,
        finishedAt: startedAt + 1,
      });
    return { ...row, id: box.id };
  });
  world.skip(600_000);
  world.deaf(false);
  world.reopen();
  const notes = world.look(same).map(({ line }) => line);
  return { world, notes };
}

it('open incidents go on under their numbers, nothing is repeated', () => {
  const { world, notes } = upgraded();
  expect(notes).toEqual([]);
  for (let i = 0; i < 20; i++) {
    world.advance(30_000);
    world.check();
  }
  expect(world.titles()).toEqual([]);
  expect(world.openIncidents().map(({ id, rule, subject }) => `${id} ${rule} ${subject}`)).toEqual([
    '1 container-stopped web',
    '2 container-stopped db',
    '3 container-unhealthy api',
    '6 memory-available host',
  ]);
  expect(incidentById(store.db, 5)).toMatchObject({ subject: 'flaps', state: 'resolved' });
});

it('their ends are sent, and so are the reminders', () => {
  const { world } = upgraded();
  world.start('web');
  world.health('api', 'healthy');
  world.advance(10_000);
  expect(world.titles()).toEqual(['✅ Service Restored', '✅ Service Restored']);
  expect(world.messages().join('\n')).toMatch(/Service: web\n[^]*Service: api\n/);
  world.clear();
  for (let i = 0; i < 120; i++) {
    world.advance(30_000);
    world.check();
  }
  expect(world.titles().filter((title) => title.includes('db stopped'))).toHaveLength(1);
});
