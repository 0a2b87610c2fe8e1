import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createEventQueue } from '../../src/containers/event-stream.ts';
import type { DockerEvent } from '../../src/system/types.ts';
import { worldWith } from './world.ts';

function event(id: string, action = 'start'): DockerEvent {
  return { timeNano: 1n, action, id, name: id, attributes: {} };
}

describe('S20: 200,000 events of containers that nobody knows', () => {
  it('are handled in small portions, with everything else in between; those of known ones are all handled', async () => {
    const handled: string[] = [];
    let most = 0;
    let leftOut = 0;
    const queue = createEventQueue({
      handle(events) {
        most = Math.max(most, events.length);
        handled.push(...events.map(({ id }) => id));
      },
      isKnown: ({ id }) => id === 'known',
      leftOut: () => void (leftOut += 1),
    });
    for (let i = 0; i < 200_000; i++) {
      queue.add(event(`unknown-${i}`));
      if (i % 1000 === 0) queue.add(event('known', 'die'));
    }
    const atOnce = handled.length;
    expect(atOnce).toBeLessThanOrEqual(50);
    await nextTurn();
    await nextTurn();
    // A check, a delivery, an answer had their turn, and the flood is not over.
    expect(handled.length).toBeLessThan(1000);
    expect(most).toBeLessThanOrEqual(100);
    const isOver = (): boolean => leftOut > 0;
    while (!isOver()) await nextTurn();
    expect(handled.filter((id) => id === 'known')).toHaveLength(200);
    expect(handled.length).toBeLessThan(10_000);
    expect(leftOut).toBe(1);
    queue.stop();
  });

  it('keep neither the table nor the questions growing; a crash in the middle is told at once', () => {
    const world = worldWith('web');
    world.answering(false);
    for (let i = 0; i < 20_000; i++) {
      world.feed({ type: 'event', event: event(`id-${i}`, i % 2 ? 'kill' : 'start'), more: true });
      if (i === 10_000) {
        world.die('web', 1);
        world.advance(700);
        expect(world.messages().join('\n')).toContain('Service: web\n');
      }
    }
    expect(world.state.known.size).toBeLessThan(1000);
    expect(world.state.pending.size).toBeLessThan(1000);
    // What was never there is forgotten with the next list.
    world.answering(true);
    world.list();
    world.advance(60_000);
    expect(world.state.known.size).toBe(1);
    expect(world.state.incomplete.size).toBe(0);
  });
});
