// What is left for the next monitor, however this one ends.
import { afterEach, expect, test, vi } from 'vitest';
import { START, worldWith, type World } from './world.ts';
import { closePersister, newPersister, persist, recallServices } from '../../src/containers/persist.ts';
import { remember } from '../../src/store/memory.ts';
import { openStore, type Store } from '../../src/store/open.ts';

let store: Store | undefined;
afterEach(() => store?.close());
const log = { debug() {}, info() {}, warn: vi.fn<(text: string) => void>(), error() {} };

function keeperOf(world: World) {
  store = openStore('/dev/null/nowhere', START); // In memory.
  const { db } = store;
  const heard = { nano: 0n };
  const clock = { now: () => world.now, monotonic: () => world.now - START, sleep: async () => {} };
  const persister = newPersister({ db, clock, log, state: world.state, lastNano: () => heard.nano });
  return { persister, db, heard, left: () => recallServices(db, log) };
}
const nano = (ms: number) => BigInt(ms) * 1_000_000n;

test('a loop is remembered while the container waits for its next start: then it can end', () => {
  const world = worldWith('web', { policy: 'always' });
  const { persister, left } = keeperOf(world);
  for (let i = 0; i < 7; i++) {
    world.die('web', 1, true);
    world.advance(500);
    world.start('web', 'policy');
    world.advance(300);
  }
  world.die('web', 1, true);
  world.advance(30_000);
  const loops = () => world.openIncidents().map(({ rule }) => rule);
  expect(loops()).toContain('restart-loop');
  persister.dirty.add('web');
  persist(persister);
  const { rows } = left();
  expect(rows[0]).toMatchObject({ state: 'restarting' });

  // The next monitor finds it as it was, says nothing new about it, and that it is over.
  world.clear();
  expect(world.look(rows)).toEqual([]);
  world.start('web', 'policy');
  world.advance(700_000);
  expect(world.titles()).toEqual(['✅ Service Restored']);
  expect(loops()).toEqual([]);
});

test('what is still to be told keeps its reasons: the next one reads those events again', () => {
  const world = worldWith('web');
  const { persister, heard, left } = keeperOf(world);
  heard.nano = nano(world.now);
  persist(persister);
  const before = heard.nano;
  world.advance(1000);
  world.stop('web');
  heard.nano = nano(world.now);
  persister.dirty.add('web');
  persist(persister);
  expect(left().seen?.nano).toBe(String(before));
  expect(left().rows).toEqual([]);
  world.advance(30_000);
  persist(persister);
  expect(left().seen?.nano).toBe(String(heard.nano));
  expect(left().rows).toMatchObject([{ key: 'web', state: 'exited' }]);
});

test('killed: it counts as there until it was last known to be; ended: exactly until then', () => {
  const world = worldWith('web');
  const { persister, db, left } = keeperOf(world);
  const writtenAt = world.now;
  persist(persister);
  expect(left().seen).toMatchObject({ at: writtenAt });
  remember(db, 'last-alive', { at: writtenAt + 240_000 }, writtenAt + 240_000);
  expect(left().seen).toMatchObject({ at: writtenAt + 240_000 });
  world.advance(250_000);
  closePersister(persister, true);
  expect(left().seen).toMatchObject({ at: world.now, closed: true });
});
