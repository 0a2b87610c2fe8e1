// Whatever happens in whatever order: it does not throw, it does not spin, and in the end it knows what is.
import { expect, test } from 'vitest';
import { nextDue } from '../../src/containers/reduce.ts';
import { isUp } from '../../src/containers/table.ts';
import { createWorld, START, type World } from './world.ts';
import { random } from '../helpers/random.ts';

const NAMES = ['web', 'db', '0123456789ab_web', 'worker'];

function act(world: World, pick: (below: number) => number): void {
  const name = NAMES[pick(NAMES.length)]!;
  const box = [...world.boxes.values()].find((one) => one.name === name);
  const policies = ['no', 'always', 'on-failure', 'unless-stopped'];
  if (!box) {
    const health = (['none', 'starting', 'healthy', 'unhealthy'] as const)[pick(4)]!;
    world.create(name, {
      policy: policies[pick(4)]!,
      maxRetries: pick(3),
      health,
      autoRemove: pick(8) === 0,
    });
    return;
  }
  const up = box.state.pid > 0;
  const actions: (() => void)[] = up
    ? [
        () => world.die(name, [0, 1, 137, 143][pick(4)]!, pick(2) === 0),
        () => world.stop(name, pick(2) * 137),
        () => world.remove(name),
        () => (world.oom(name), world.die(name, 137)),
        () => world.signal(name, [1, 9, 15][pick(3)]!),
        () => (box.state.status === 'paused' ? world.unpause(name) : world.pause(name)),
        () => world.health(name, (['healthy', 'unhealthy'] as const)[pick(2)]!),
      ]
    : [() => world.start(name, pick(2) === 0 ? 'hand' : 'policy'), () => world.destroy(name)];
  actions[pick(actions.length)]!();
}

for (let seed = 1; seed <= 20; seed++) {
  test(`a wild life, ${seed}`, () => {
    const pick = random(seed);
    const world = createWorld({ MONITORED_SERVICES: seed % 4 === 0 ? ['web', 'ghost'] : [] });
    for (let i = 0; i < 400; i++) {
      act(world, pick);
      const mood = pick(30);
      if (mood === 0) world.deaf(true);
      if (mood === 1) world.losing(true);
      if (mood === 2) world.down('closed');
      if (mood === 3) world.answering(false);
      if (mood < 12) {
        world.advance([1, 50, 700, 2500, 30_000][pick(5)]!);
        expect(nextDue(world.state) + START).toBeGreaterThan(world.now);
      }
      if (mood > 24) {
        world.deaf(false);
        world.losing(false);
        world.answering(true);
        world.up();
      }
    }
    world.deaf(false);
    world.losing(false);
    world.answering(true);
    world.up();
    world.list();
    world.advance(60_000);
    world.list();
    world.advance(1_800_000);
    world.list();
    world.advance(1_800_000);

    const known = [...world.state.known.values()].map(
      ({ info }) => `${info.id} ${info.name} ${isUp(info.state)}`,
    );
    const real = [...world.boxes.values()].map((box) => `${box.id} ${box.name} ${box.state.pid > 0}`);
    expect(known.toSorted()).toEqual(real.toSorted());
    for (const text of world.messages()) expect(text.length).toBeLessThan(4096);
    // What stands is true.
    for (const [key, holding] of world.state.conditions) {
      const box = world.state.known.get(world.state.byKey.get(key) ?? '');
      if (holding.stopped && box) expect(box.info.state, key).not.toBe('running');
      if (holding.unhealthy) expect(box?.info.health, key).toBe('unhealthy');
    }
  });
}
