import type { Condition } from '../model/container-fact.ts';
import { about, emit, reportGone, later, reportMissing, reportOver, reportRunning } from './facts.ts';
import { watchSuccessor } from './successor.ts';
import { left, SUCCESSOR_WAIT_MS } from './correlate.ts';
import { serviceKey } from '../model/service-key.ts';
import { conditionOf, isUp, isWatched, keyOf, newsOf, put, seriesOf } from './table.ts';
import type { Known, State, Turn } from './types.ts';

/** Watchtower starts its successor within this. */
const RENAMED_WAIT_MS = 2500;

type Names = { oldKey: string; key: string; oldName: string; name: string; at: number };

/** A container got another name: everything that is known about the old one follows. */
export function renamed(turn: Turn, known: Known, name: string, at: number): void {
  const { state } = turn;
  const { info } = known;
  const oldName = info.name;
  if (name === oldName) return;
  const wasWatched = isWatched(state, known);
  const [oldKey, key] = [serviceKey(oldName), serviceKey(name)];
  if (state.byKey.get(oldKey) === info.id) state.byKey.delete(oldKey);
  info.name = name;
  known.was = oldKey;
  put(state, known);
  for (const other of state.known.values())
    if (serviceKey(other.info.name) === oldKey && !state.byKey.has(oldKey))
      state.byKey.set(oldKey, other.info.id);
  if (oldKey === key) return; // Compose at work.
  // Where a successor has the old name already, what is reported about that name stays with it.
  if (state.byKey.get(key) !== info.id || state.byKey.has(oldKey)) return;
  const isSuccessor = takesOver(turn, known, key);
  const wasReported = state.conditions.has(oldKey) || seriesOf(state, oldKey, turn.now) !== undefined;
  follow(turn, { oldKey, key, oldName, name, at }, known);
  if (!isWatched(state, known)) letGo(turn, key, at);
  else reportMissing(turn, { reported: true });
  // A successor may come for a name that is to be watched.
  if (wasWatched && !isWatched(state, known) && !state.pending.has(oldKey))
    state.pending.set(oldKey, { kind: 'removed', due: left(turn, SUCCESSOR_WAIT_MS, at), at });
  if (isSuccessor || !isWatched(state, known)) return;
  // A container that is down is renamed silently, unless that it is down was reported: its end comes under the new name.
  if (!isUp(info.state) && !wasReported) return;
  // What waits to be told has the name of before that, and the one of then.
  if (newsOf(state, key, 'renamed')) return;
  const fact = { kind: 'renamed', ...about(info), at, was: oldName } as const;
  // Where its successor has its name by then, it is a deploy.
  const isOld = ({ byKey }: State): boolean => info.name === oldName || byKey.has(oldKey);
  if (!state.pending.has(key)) later(turn, known, turn.now.mono + RENAMED_WAIT_MS, fact, isOld);
  else if (!isOld(state)) emit(turn, key, fact);
}

/** The same for one that was renamed while nobody watched. */
export function renamedMeanwhile(turn: Turn, known: Known, was: { key: string; name: string }): void {
  const { name } = known.info;
  const [key, at] = [keyOf(known), turn.now.wall];
  follow(turn, { oldKey: was.key, key, oldName: was.name, name, at }, known);
  if (!isWatched(turn.state, known)) letGo(turn, key, at);
}

/** A deploy that ends with a rename: the container before it has gone, on request or after a crash. True where no message about the rename is needed. */
function takesOver(turn: Turn, known: Known, key: string): boolean {
  const { state } = turn;
  const { info } = known;
  if (!isUp(info.state) || !isWatched(state, known)) return false;
  const pending = state.pending.get(key);
  // A paused one is no successor: under the new name it is as down as the one before.
  const runs = info.state === 'running';
  if (pending?.kind === 'asked' && runs) {
    const { restartCount } = info;
    watchSuccessor(turn, known, pending, turn.now.wall);
    info.restartCount = restartCount;
    return true;
  }
  if (pending?.kind === 'removed') state.pending.delete(key);
  if (runs && conditionOf(state, key, 'stopped')) reportRunning(turn, known, turn.now.wall);
  return false;
}

function follow(turn: Turn, { oldKey, key, oldName, name, at }: Names, { info }: Known): void {
  const { state, out } = turn;
  out.touched.add(oldKey).add(key);
  followPending(state, { oldKey, key, name }, info.id);
  move(state.checks, oldKey, key);
  move(state.tallies, oldKey, key);
  const series = state.tallies.get(key)?.series;
  if (series) series.name = name;
  // What is wrong with both is told of the one that is left.
  for (const condition of Object.keys(state.conditions.get(oldKey) ?? {}) as Condition[])
    reportOver(turn, key, condition, 'replaced', at);
  const conditions = { ...state.conditions.get(key), ...state.conditions.get(oldKey) };
  state.conditions.delete(oldKey);
  for (const holding of Object.values(conditions)) holding.name = name;
  if (Object.keys(conditions).length > 0) state.conditions.set(key, conditions);
  // Also of what is fine at the moment, for its incident may still be open: it flaps.
  emit(turn, key, { kind: 'called', ...about(info), at, was: oldName });
}

/** What is waited for about another container, which had this name before it died, stays with that name. */
function followPending(
  state: State,
  { oldKey, key, name }: Pick<Names, 'oldKey' | 'key' | 'name'>,
  id: string,
): void {
  const pending = state.pending.get(oldKey);
  if (!pending || pending.kind === 'removed') return;
  const death = 'death' in pending ? pending.death : undefined;
  // One that was started in place of the dead one has ended its being down.
  const isBack = pending.kind === 'crash' && pending.upAt !== undefined;
  if (!isBack && ('id' in pending ? pending.id : death?.id) !== id) return;
  if (death) Object.assign(death, { name, was: oldKey });
  const there = state.pending.get(key);
  if (there && there.kind !== 'removed') state.pending.delete(oldKey);
  else move(state.pending, oldKey, key);
}

/** Its new name is not watched: nobody would see when its conditions end. */
function letGo(turn: Turn, key: string, at: number): void {
  turn.state.pending.delete(key);
  turn.state.checks.delete(key);
  reportGone(turn, key, 'not-watched', at);
}

function move<T>(map: Map<string, T>, from: string, to: string): void {
  const value = map.get(from);
  if (value === undefined) return;
  map.delete(from);
  map.set(to, value);
}
