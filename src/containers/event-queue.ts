// Docker's events in small portions. In a flood of them (a busy engine, or somebody hostile) checks, answers and deliveries get
// their turn as well; where even the queue is too long, events of containers that nobody knows are left out, and a full list
// follows.
import type { DockerEvent } from '../system/types.ts';

/** So many are handled at once in a turn of the event loop: as a rule that is all there are. */
const AT_ONCE = 50;
/** So many in each further turn. */
const PORTION = 100;
const MOST_WAITING = 5000;

export type EventQueue = {
  add(event: DockerEvent): void;
  /** Nothing of what waits is handled any more. */
  stop(): void;
};

export function createEventQueue(deps: {
  handle(events: readonly DockerEvent[]): void;
  isKnown(event: DockerEvent): boolean;
  /** The flood is over, and some events were left out. */
  leftOut(): void;
}): EventQueue {
  let waiting: DockerEvent[] = [];
  let handled = 0;
  let turn: NodeJS.Immediate | undefined;
  let missed = false;

  function nextTurn(): void {
    turn = undefined;
    handled = 0;
    if (waiting.length === 0) return;
    const portion = waiting.splice(0, PORTION);
    handled = AT_ONCE;
    turn = setImmediate(nextTurn);
    deps.handle(portion);
    if (waiting.length > 0 || !missed) return;
    missed = false;
    deps.leftOut();
  }

  return {
    add(event) {
      turn ??= setImmediate(nextTurn);
      if (waiting.length === 0 && handled < AT_ONCE) {
        handled += 1;
        deps.handle([event]);
      } else if (waiting.length < MOST_WAITING || deps.isKnown(event)) waiting.push(event);
      else missed = true;
    },
    stop() {
      clearImmediate(turn);
      waiting = [];
    },
  };
}
