// What of the services outlives the process: each as it was last reported, and how far Docker's events were read.
import * as v from 'valibot';
import { defined } from '../model/defined.ts';
import { errorText } from '../model/text.ts';
import { recall } from '../store/memory.ts';
import type { Db } from '../store/db.ts';
import { EpochMs, Finite, loosely } from '../model/shapes.ts';
import { loadServices, saveServices } from '../store/services.ts';
import type { Clock, Log } from '../system/types.ts';
import { current, keyOf } from './table.ts';
import type { Pending, SavedService, State } from './types.ts';

/** Changes of which nothing was reported are written together. */
const LATER_MS = 1000;
const SEEN = 'services-seen';
const ALIVE = 'last-alive';

/**
 * Wall time of the last look, and the time stamp of the event (nanoseconds) up to which all is reported. `closed`: the monitor
 * ended then; without it, it was killed some time later.
 */
export type LastLook = { at: number; nano: string; closed?: true };
const SeenShape = loosely<LastLook>({
  at: EpochMs,
  nano: v.pipe(v.string(), v.regex(/^\d{1,19}$/)),
  closed: v.optional(v.literal(true)),
});
const AliveShape = v.looseObject({ at: EpochMs });
const RowShape = loosely<SavedService>({
  key: v.string(),
  id: v.string(),
  name: v.string(),
  service: v.optional(v.string()),
  image: v.string(),
  state: v.string(),
  health: v.string(),
  startedAt: v.optional(EpochMs),
  restartCount: Finite,
  restarts: v.array(EpochMs),
  standing: v.optional(
    v.record(
      v.string(),
      v.looseObject({
        how: v.optional(v.picklist(['policy', 'paused'])),
        up: v.optional(v.boolean()),
      }),
    ),
  ),
});

/** What an earlier monitor left; nothing where that cannot be read. */
export function recallServices(db: Db, log: Log): { rows: SavedService[]; seen: LastLook | undefined } {
  try {
    const seen = recall(db, SEEN, SeenShape);
    const alive = recall(db, ALIVE, AliveShape)?.at;
    // The table is written when something changes; that the monitor is alive, more often.
    if (seen && !seen.closed && typeof alive === 'number') seen.at = Math.max(seen.at, alive);
    return { rows: loadServices(db, RowShape), seen };
  } catch (error) {
    log.warn(`The services of the last run cannot be read: ${errorText(error)}`);
    return { rows: [], seen: undefined };
  }
}

type PersisterDeps = { db: Db; clock: Clock; log: Log; state: State; lastNano(): bigint };

/** Writes what has changed of the services. */
export type Persister = PersisterDeps & {
  /** Keys of services that have changed. */
  dirty: Set<string>;
  immediate?: NodeJS.Immediate;
  timer?: NodeJS.Timeout;
  failed: boolean;
  /** The time stamp of the event up to which all is reported. */
  reportedUntil: bigint;
};

export function newPersister(deps: PersisterDeps): Persister {
  const reportedUntil = BigInt(deps.clock.now()) * 1_000_000n;
  return { ...deps, dirty: new Set(), failed: false, reportedUntil };
}

/** Writes soon; `reported`: as soon as the message is on its way, which must not wait for this. */
export function persistSoon(persister: Persister, reported: boolean): void {
  if (reported)
    persister.immediate ??= setImmediate(() => {
      delete persister.immediate;
      persist(persister);
    });
  else if (persister.dirty.size > 0) persister.timer ??= setTimeout(() => persist(persister), LATER_MS);
}

/** Writes for the last time, where there is something to write. */
export function closePersister(persister: Persister, last: boolean): void {
  clearImmediate(persister.immediate);
  clearTimeout(persister.timer);
  if (last) persist(persister, true);
}

/** Writes now. */
export function persist(persister: Persister, closed = false): void {
  const { db, clock, log, state, dirty } = persister;
  clearTimeout(persister.timer);
  delete persister.timer;
  // The causes of what is still to be reported are in events that the next run has to read again.
  if (isAllReported(state)) persister.reportedUntil = persister.lastNano() || persister.reportedUntil;
  const changes = new Map<string, SavedService | undefined>();
  // Rows of which something is still to be reported stay as they were: the next run would report it.
  for (const key of dirty) if (!isUnreported(state, key)) changes.set(key, rowOf(state, key));
  for (const key of changes.keys()) dirty.delete(key);
  const at = clock.now();
  const value: LastLook = { at, nano: String(persister.reportedUntil), ...(closed && { closed }) };
  try {
    saveServices(db, changes, { key: SEEN, value }, at);
    persister.failed = false;
  } catch (error) {
    for (const key of changes.keys()) dirty.add(key);
    if (!persister.failed) log.warn(`The service table cannot be saved: ${errorText(error)}`);
    persister.failed = true;
  }
}

/** Waits for Docker's next attempt; why it is down was reported. Its row must not wait: in a loop it would wait for ever. */
function isConcluded(pending: Pending): boolean {
  return pending.kind === 'crash' && pending.due === Infinity;
}

/** Whether everything that Docker has sent is reported. */
export function isAllReported(state: State): boolean {
  for (const pending of state.pending.values()) if (!isConcluded(pending)) return false;
  return state.checks.size === 0;
}

/** Whether something about this service is known and not reported yet: then its remembered row stays as it was. */
export function isUnreported(state: State, key: string): boolean {
  const pending = state.pending.get(key);
  if ((pending && !isConcluded(pending)) || state.checks.has(key)) return true;
  return !state.engine.up && state.engine.before.has(key) && !state.engine.reported;
}

/** What is remembered of a service; undefined where nothing is left of it. */
export function rowOf(state: State, key: string): SavedService | undefined {
  const known = current(state, key);
  if (!known) return undefined;
  const { id, name, service, image, state: status, health, startedAt, restartCount, exitCode } = known.info;
  return {
    key: keyOf(known),
    id,
    name,
    image,
    state: status,
    health,
    restartCount,
    ...defined({ service, startedAt, exitCode }),
    restarts: state.tallies.get(key)?.restarts ?? [],
  };
}
