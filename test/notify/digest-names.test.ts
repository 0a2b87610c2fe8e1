import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { countServices } from '../../src/containers/table.ts';
import { reportMessage } from '../../src/outputs/telegram/monitor.ts';
import { createWorld, START } from '../containers/world.ts';
import { bench, type Bench } from './support.ts';

let b: Bench;
beforeEach(async () => {
  b = await bench();
});
afterEach(() => b.close());

const HUNDRED = Array.from({ length: 100 }, (_, i) => `service-number-${i}-of-a-large-shop`);

/** All that Telegram got once it answered again, after so many messages that were no emergency. */
async function afterAnHourWithoutTelegram(): Promise<string> {
  for (let i = 0; i < 30; i++) b.say(`<b>WARNING: smoke ${i}</b>`);
  b.start();
  await b.telegram.waitFor(1);
  await b.delivery.drain(10_000);
  await b.stop();
  return b.plains().join('\n');
}

describe('S17: a digest never swallows the name of anything critical', () => {
  it('crashes that only the start message tells of', async () => {
    const world = createWorld();
    for (const name of HUNDRED) world.run(name);
    world.advance(60_000);
    const rows = world.rows();
    world.deaf(true);
    for (const name of HUNDRED) world.die(name, 1);
    world.deaf(false);
    const notes = world.look(rows);
    const counts = countServices(world.state);
    const report = {
      kind: 'start',
      at: START,
      counts,
      lines: notes,
      first: false,
      late: false,
      rebooted: false,
    } as const;
    b.outbox.enqueue(reportMessage(report, 'vps1'));
    const all = await afterAnHourWithoutTelegram();
    expect(HUNDRED.filter((name) => !all.includes(name))).toEqual([]);
  });

  it('a hundred that die together, whose list is longer than a message', async () => {
    const world = createWorld();
    for (const name of HUNDRED) world.run(name);
    world.advance(60_000);
    world.clear();
    for (const name of HUNDRED) world.die(name, 1);
    world.advance(30_000);
    for (const message of world.outbox) b.outbox.enqueue(message);
    const all = await afterAnHourWithoutTelegram();
    expect(HUNDRED.filter((name) => !all.includes(name))).toEqual([]);
  });

  it('restarts that are told in a list are named in the digest', async () => {
    const world = createWorld();
    const names = HUNDRED.slice(0, 6);
    for (const name of names) world.run(name, { policy: 'always' });
    world.advance(60_000);
    world.clear();
    for (const name of names) world.die(name, 1, true);
    world.advance(200);
    for (const name of names) world.start(name, 'policy');
    world.advance(30_000);
    expect(world.titles()).toEqual(['🔄 6 Services Restarting']);
    for (const message of world.outbox) b.outbox.enqueue(message);
    const all = await afterAnHourWithoutTelegram();
    expect(names.filter((name) => !all.includes(name))).toEqual([]);
  });
});
