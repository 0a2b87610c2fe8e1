// State folders that earlier versions left (test/fixtures/state). 0.2.0: web crashed, db was stopped on request, the health check of
// api fails, flaps came and went four times and was up, and memory was scarce. 0.3.0 besides: frozen is paused, loop and often restart
// again and again, old-name crashed and was renamed. All of it had been sent, but hushed, which crashed while it was silenced.
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SavedService } from '../../src/containers/types.ts';
import { incidentById } from '../../src/store/incidents.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { recallServices } from '../../src/containers/persist.ts';
import { keptLog } from '../notify/support.ts';
import { createWorld, START, type World } from './world.ts';

let folder: string;
let store: Store;
let world: World;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vpsmon-old-state-'));
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The containers as they were left, and the monitor of today that looks at them `ms` after the start of the world. */
function upgraded(version: string, ms: number): string[] {
  copyFileSync(
    new URL(`../fixtures/state/${version}/vpsmon.db`, import.meta.url).pathname,
    join(folder, 'vpsmon.db'),
  );
  store = openStore(folder, START + ms);
  world = createWorld({}, {}, { store });
  const rows = recallServices(store.db, keptLog()).rows;
  world.deaf(true);
  const same = rows.map((row): SavedService => {
    const box = world.run(row.name, {
      health: row.health,
      policy: row.restarts.length > 0 ? 'always' : 'no',
    });
    const { startedAt = 0 } = row;
    box.restartCount = row.restartCount;
    Object.assign(box.state, { startedAt });
    if (row.state === 'paused') box.state.status = 'paused';
    if (row.state === 'exited')
      Object.assign(box.state, {
        status: 'exited',
        pid: 0,
        exitCode: row.exitCode ?? 0,
        finishedAt: startedAt + 1,
      });
    return { ...row, id: box.id };
  });
  world.skip(ms);
  world.deaf(false);
  world.reopen();
  return world.look(same).map(({ line }) => line);
}

function pass(minutes: number): void {
  for (let i = 0; i < minutes * 2; i++) {
    world.advance(30_000);
    world.check();
  }
}

const open = () => world.openIncidents().map(({ id, rule, subject }) => `${id} ${rule} ${subject}`);

describe('0.2.0', () => {
  it('open incidents go on under their numbers, nothing is repeated', () => {
    expect(upgraded('0.2.0', 600_000)).toEqual([]);
    pass(10);
    expect(world.titles()).toEqual([]);
    expect(open()).toEqual([
      '1 container-stopped web',
      '2 container-stopped db',
      '3 container-unhealthy api',
      '6 memory-available host',
    ]);
    expect(incidentById(store.db, 5)).toMatchObject({ subject: 'flaps', state: 'resolved' });
  });

  it('their ends are sent, and so are the reminders', () => {
    upgraded('0.2.0', 600_000);
    world.start('web');
    world.health('api', 'healthy');
    world.advance(10_000);
    expect(world.titles()).toEqual(['✅ Service Restored', '✅ Service Restored']);
    expect(world.messages().join('\n')).toMatch(/Service: web\n[^]*Service: api\n/);
    world.clear();
    pass(60);
    expect(world.titles().filter((title) => title.includes('db stopped'))).toHaveLength(1);
  });
});

describe('0.3.0', () => {
  it('open incidents go on under their numbers, nothing is repeated', () => {
    expect(upgraded('0.3.0', 980_000)).toEqual([]);
    pass(5);
    expect(world.titles()).toEqual([]);
    expect(open()).toEqual([
      '10 container-stopped web',
      '11 container-unhealthy api',
      '12 container-stopped hushed',
      '13 container-stopped frozen',
      '14 container-stopped db',
      '16 container-stopped flaps',
      '20 container-malfunction often',
      '24 container-malfunction loop',
      '25 restart-loop loop',
      '26 container-stopped new-name',
      '28 memory-available host',
    ]);
  });

  it('what is quiet ends, once, and a loop goes on counting where it was', () => {
    upgraded('0.3.0', 980_000);
    world.die('loop', 1, true);
    world.advance(300);
    world.start('loop', 'policy');
    world.advance(30_000);
    expect(world.titles()).toEqual([]);
    pass(12);
    expect(world.messages().filter((text) => text.includes('loop'))).toHaveLength(1);
    expect(world.messages().filter((text) => text.includes('often'))).toHaveLength(1);
    expect(open().filter((one) => /loop|malfunction/.test(one))).toEqual([]);
  });

  it('a silence holds on, and what it held back is sent when it ends', () => {
    upgraded('0.3.0', 980_000);
    pass(5);
    world.unsilence('hushed');
    world.check();
    expect(world.messages().join()).toMatch(/^[^]*hushed[^]*exit code 139/);
    expect(world.messages()).toHaveLength(1);
    world.clear();
    pass(10);
    expect(world.messages().join()).not.toContain('hushed');
  });

  it('their ends are sent, under the new name of what was renamed', () => {
    upgraded('0.3.0', 980_000);
    world.start('new-name');
    world.unpause('frozen');
    world.health('api', 'healthy');
    world.advance(10_000);
    const text = world.messages().join('\n');
    expect(world.titles()).toEqual(['✅ Service Restored', '✅ Service Restored', '✅ Service Restored']);
    for (const name of ['new-name', 'frozen', 'api']) expect(text).toContain(`Service: ${name}\n`);
    expect(text).not.toContain('old-name');
  });

  it('reminders name what they are about', () => {
    upgraded('0.3.0', 980_000);
    pass(65);
    const text = world.messages().join('\n');
    for (const name of ['web', 'db', 'frozen', 'new-name'])
      expect(text.match(new RegExp(`- ${name}: `, 'g'))).toHaveLength(1);
    expect(text).not.toContain('old-name');
    expect(text).not.toContain('undefined');
  });
});
