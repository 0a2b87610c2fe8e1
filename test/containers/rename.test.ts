// A container that gets another name while something is known about it, or still to be told.
import { describe, expect, test } from 'vitest';
import { createWorld, worldWith, type World } from './world.ts';

/** Rule and subject of what stands in the end, as the incidents see it. */
function openOnes(world: World): string[] {
  return world
    .openIncidents()
    .map(({ rule, subject }) => `${rule} ${subject}`)
    .toSorted();
}
const lastMessage = (world: World) => world.messages().at(-1) ?? '';

describe('renamed in trouble', () => {
  test('unhealthy: one record, under the new name, and Restored once under it', () => {
    const world = worldWith('web', { health: 'healthy' });
    world.health('web', 'unhealthy');
    world.advance(5000);
    world.rename('web', 'shop');
    world.advance(5000);
    expect(openOnes(world)).toEqual(['container-unhealthy shop']);
    expect(world.openIncidents()[0]?.text).toBe('The health check of shop fails');
    world.health('shop', 'healthy');
    world.advance(60_000);
    expect(world.titles()).toEqual([
      '🏥 Service Unhealthy',
      '🔄 web is now called shop',
      '✅ Service Restored',
    ]);
    expect(lastMessage(world)).toContain('Service: shop\n');
    expect(openOnes(world)).toEqual([]);
    expect(world.state.conditions.size).toBe(0);
  });

  test('while several were found unhealthy and it waits in the list', () => {
    const world = createWorld();
    for (const name of ['a', 'b', 'web']) world.run(name, { health: 'healthy' });
    world.advance(60_000);
    world.clear();
    for (const name of ['a', 'b', 'web']) world.health(name, 'unhealthy');
    world.rename('web', 'shop');
    world.advance(10_000);
    expect(openOnes(world)).toEqual([
      'container-unhealthy a',
      'container-unhealthy b',
      'container-unhealthy shop',
    ]);
    world.health('shop', 'healthy');
    world.advance(10_000);
    expect(openOnes(world)).toHaveLength(2);
  });

  test('before it is told: told once, under the new name', () => {
    const world = worldWith('web', { health: 'healthy' });
    world.answering(false);
    world.health('web', 'unhealthy');
    world.rename('web', 'shop');
    world.advance(5000);
    expect(openOnes(world)).toEqual(['container-unhealthy shop']);
    expect(
      world
        .messages()
        .filter((text) => text.includes('Unhealthy'))
        .join(),
    ).toContain('Service: shop\n');
  });

  test('stopped: Restored names it as it is called now, also where it flaps', () => {
    const world = worldWith('web');
    for (let i = 0; i < 4; i++) {
      world.die('web', 1);
      world.advance(5000);
      world.start('web');
      world.advance(5000);
    }
    world.rename('web', 'shop');
    world.advance(4000);
    expect(openOnes(world)).toEqual(['container-stopped shop']);
    world.clear();
    world.advance(700_000);
    expect(world.titles()).toEqual(['✅ Service Restored']);
    expect(lastMessage(world)).toContain('Service: shop\n');
  });

  test('while it is down: told, so that Restored is understood; not where nobody knows that it is down', () => {
    const world = worldWith('web');
    world.create('spare');
    world.rename('spare', 'reserve');
    world.stop('web');
    world.advance(30_000);
    world.rename('web', 'shop');
    world.advance(5000);
    world.start('shop');
    world.advance(60_000);
    expect(world.titles()).toEqual([
      '🔴 Service Stopped (on request)',
      '🔄 web is now called shop',
      '✅ Service Restored',
    ]);
  });

  test('to a name that is not watched: its troubles end, and the monitored one is missing unless another one comes', () => {
    const world = worldWith('web', { health: 'healthy' }, { MONITORED_SERVICES: ['web'] });
    world.health('web', 'unhealthy');
    world.advance(5000);
    world.clear();
    world.rename('web', 'web-old');
    world.advance(60_000);
    expect(world.titles()).toEqual(['⚠️ Service Missing']);
    expect(openOnes(world)).toEqual(['service-missing web']);
    world.rename('web-old', 'web');
    world.advance(60_000);
    expect(openOnes(world)).not.toContain('service-missing web');
  });

  test('moved out of the way for a successor of a monitored name: not missing', () => {
    const world = worldWith('web', {}, { MONITORED_SERVICES: ['web'] });
    world.rename('web', 'web-old');
    world.advance(2000);
    world.run('web');
    // The renamed one may be about to end: then it is one deploy.
    world.advance(150_000);
    expect(world.titles()).toEqual(['🚀 Service Started']);
  });
});

test('renamed while its stop waits to be sent, to a name whose stops are muted: nothing is sent about it', () => {
  const world = worldWith('web', {}, {}, { services: [{ name: 'shop', mute: ['stopped'] }] });
  world.stop('web');
  world.advance(20_500);
  expect(openOnes(world)).toEqual(['container-stopped web']);
  world.rename('web', 'shop');
  world.advance(60_000);
  expect(world.messages().filter((text) => text.includes('Stopped'))).toEqual([]);
  expect(openOnes(world)).toEqual(['container-stopped shop']);
});

describe('a deploy that ends with a rename', () => {
  test('the old one stopped and removed, the new one renamed: one line', () => {
    const world = worldWith('web');
    world.run('web-new');
    world.advance(30_000);
    world.clear();
    world.stop('web');
    world.destroy('web');
    world.rename('web-new', 'web');
    world.advance(60_000);
    expect(world.titles()).toEqual(['🚀 web redeployed, running again after 0.0 s']);
  });

  test('the old one crashed, was told and removed: the new one restores it', () => {
    const world = worldWith('web');
    world.run('web-new');
    world.advance(30_000);
    world.clear();
    world.die('web', 1);
    world.advance(5000);
    world.destroy('web');
    world.advance(1000);
    world.rename('web-new', 'web');
    world.advance(60_000);
    expect(world.titles().toSorted()).toEqual([
      '✅ Service Restored',
      '🔄 web-new is now called web',
      '🔴 Service Stopped',
    ]);
    expect(openOnes(world)).toEqual([]);
  });
});

describe('a paused one takes the name of one that is down', () => {
  test.each([
    ['reported as paused already', 30_000],
    ['not yet', 1000],
  ])('%s: nothing is restored before it is unpaused', (_, ms) => {
    const world = worldWith('api');
    world.run('cache');
    world.advance(30_000);
    world.die('api', 1);
    world.advance(60_000);
    world.pause('cache');
    world.advance(ms);
    world.clear();
    world.remove('api');
    world.rename('cache', 'api');
    world.advance(10 * 60_000);
    expect(world.titles()).toEqual(['🔄 cache is now called api']);
    expect(openOnes(world)).toEqual(['container-stopped api']);
    expect(world.openIncidents()[0]?.text).toMatch(/^api is paused/);
    world.unpause('api');
    world.advance(10_000);
    expect(world.titles()).toEqual(['🔄 cache is now called api', '✅ Service Restored']);
    expect(lastMessage(world)).toContain('Current Status: 🟢 Running');
    expect(openOnes(world)).toEqual([]);
  });

  test('whose stop waits for a successor: it is down, and no deploy', () => {
    const world = worldWith('api');
    world.run('cache');
    world.advance(30_000);
    world.pause('cache');
    world.advance(30_000);
    world.clear();
    world.stop('api');
    world.destroy('api');
    world.rename('cache', 'api');
    world.advance(10 * 60_000);
    expect(world.titles().join()).not.toMatch(/redeployed|Restored/);
    expect(openOnes(world)).toEqual(['container-stopped api']);
  });

  test('one that runs takes the name of one that just died, and gives it back: the death is told of the dead one', () => {
    const world = worldWith('cache');
    world.run('queue', { autoRemove: true });
    world.advance(60_000);
    world.clear();
    world.signal('queue', 15);
    world.die('queue', 137);
    world.rename('cache', 'queue');
    world.rename('queue', 'cache');
    world.advance(60_000);
    world.die('cache', 1);
    world.start('cache');
    world.advance(60_000);
    expect(world.messages().filter((text) => text.includes('Service: queue\n'))).toHaveLength(1);
  });
});

describe('renamed while nobody watched', () => {
  test('unhealthy before and after: it is said that it was renamed, and one record goes on', () => {
    const world = worldWith('web', { health: 'healthy' });
    world.health('web', 'unhealthy');
    world.advance(5000);
    const rows = world.rows();
    world.clear();
    world.deaf(true);
    world.rename('web', 'shop');
    world.deaf(false);
    const notes = world.look(rows);
    expect(notes.map(({ line }) => line)).toEqual(['🔄 <b>web</b> is now called <b>shop</b>']);
    expect(openOnes(world)).toEqual(['container-unhealthy shop']);
    world.health('shop', 'healthy');
    world.advance(5000);
    expect(world.titles()).toEqual(['✅ Service Restored']);
    expect(world.rows().map(({ key }) => key)).toEqual(['shop']);
  });

  test('and stopped, too: both are said', () => {
    const world = worldWith('web');
    const rows = world.rows();
    world.deaf(true);
    world.rename('web', 'shop');
    world.die('shop', 3);
    world.deaf(false);
    expect(world.look(rows).map(({ line }) => line)).toEqual([
      '🔄 <b>web</b> is now called <b>shop</b>',
      '🔴 <b>shop</b> stopped: exit code 3',
    ]);
    expect(openOnes(world)).toEqual(['container-stopped shop']);
  });

  test('a new one under the old name is a deploy, and the renamed one is new', () => {
    const world = worldWith('web');
    const rows = world.rows();
    world.deaf(true);
    world.rename('web', 'web-old');
    world.run('web');
    world.deaf(false);
    expect(
      world
        .look(rows)
        .map(({ line }) => line)
        .toSorted(),
    ).toEqual(['🚀 <b>web-old</b> is new and running', '🚀 <b>web</b> was redeployed and runs']);
  });
});
