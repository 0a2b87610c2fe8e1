// What of the services outlives the process: each as it was last told, and how far Docker's events were read.
import { errorText } from '../model/text.ts';
import { recall } from '../store/memory.ts';
import type { Db } from '../store/open.ts';
import { loadServices, saveServices } from '../store/services.ts';
import type { Clock, Log } from '../system/types.ts';
import { isUntold, rowOf } from './machine.ts';
import type { Row, State } from './types.ts';

/** Changes of which nothing was told are written together. */
const LATER_MS = 1000;
const SEEN = 'services-seen';

/** Wall time of the last look, and the time stamp of the last event (nanoseconds). */
export type Seen = { at: number; nano: string };

export type Keeper = {
  touch(key: string): void;
  /** Writes soon: `told` as soon as the message is on its way, which must not wait for this. */
  soon(told: boolean): void;
  now(): void;
  close(): void;
};

/** What an earlier monitor left; nothing where that cannot be read. */
export function recallServices(db: Db, log: Log): { rows: Row[]; seen: Seen | undefined } {
  try {
    return { rows: loadServices<Row>(db), seen: recall<Seen>(db, SEEN) };
  } catch (error) {
    log.warn(`The services of the last run cannot be read: ${errorText(error)}`);
    return { rows: [], seen: undefined };
  }
}

export function createKeeper(deps: {
  db: Db;
  clock: Clock;
  log: Log;
  state: State;
  lastNano(): bigint;
}): Keeper {
  const { db, clock, log, state } = deps;
  const dirty = new Set<string>();
  let immediate: NodeJS.Immediate | undefined;
  let timer: NodeJS.Timeout | undefined;
  let failed = false;

  function now(): void {
    clearTimeout(timer);
    timer = undefined;
    const changes = new Map<string, Row | undefined>();
    // Those of which something is still to be told stay as they were: the next run would tell it.
    for (const key of dirty) if (!isUntold(state, key)) changes.set(key, rowOf(state, key));
    for (const key of changes.keys()) dirty.delete(key);
    const value: Seen = { at: clock.now(), nano: String(deps.lastNano()) };
    try {
      saveServices(db, changes, { key: SEEN, value }, value.at);
      failed = false;
    } catch (error) {
      for (const key of changes.keys()) dirty.add(key);
      if (!failed) log.warn(`The service table cannot be saved: ${errorText(error)}`);
      failed = true;
    }
  }

  return {
    touch: (key) => void dirty.add(key),
    soon(told) {
      if (told)
        immediate ??= setImmediate(() => {
          immediate = undefined;
          now();
        });
      else if (dirty.size > 0) timer ??= setTimeout(now, LATER_MS);
    },
    now,
    close() {
      clearImmediate(immediate);
      clearTimeout(timer);
    },
  };
}
