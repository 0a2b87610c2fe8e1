import type { Finding } from '../model/finding.ts';
import { endsQuietly, RULE_OF } from './findings.ts';
import { tellMissing } from './missing.ts';
import { tellRestored } from './restarts.ts';
import { beginSettling } from './successor.ts';
import { left, SUCCESSOR_WAIT_MS, tellRenamed } from './correlate.ts';
import { isInTrouble, isUp, isWatched, keyOf, put, serviceKey, standingOf } from './table.ts';
import { TROUBLES } from './types.ts';
import type { Known, TroubleKind, Turn } from './types.ts';
import { bold } from './wording.ts';

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
  // Its name is free for a successor now: what is told about the old name stays there where one exists already.
  if (state.byKey.get(key) !== info.id || state.byKey.has(oldKey)) return;
  const isSuccessor = takesOver(turn, known, key);
  follow(turn, { oldKey, key, oldName, name, at });
  if (!isWatched(state, known)) letGo(turn, key, at);
  else tellMissing(turn, { quiet: true });
  // A successor may come for a name that is to be watched.
  if (wasWatched && !isWatched(state, known))
    state.stories.set(oldKey, { kind: 'removed', due: left(turn, SUCCESSOR_WAIT_MS, at), at });
  if (isSuccessor || !isWatched(state, known)) return;
  // Of one that is down it is news where people were told so: its end will be told under the new name.
  if (!isUp(info.state) && !TROUBLES.some((kind) => state.standing.get(key)?.[kind])) return;
  const story = { kind: 'renamed', due: turn.now.mono + RENAMED_WAIT_MS, id: info.id, oldName, at } as const;
  if (!state.stories.has(key)) state.stories.set(key, story);
  else tellRenamed(turn, known, story);
}

/** The same for one that was renamed while nobody watched; the line that tells it, HTML. */
export function renamedMeanwhile(turn: Turn, known: Known, was: { key: string; name: string }): string {
  const { name } = known.info;
  const [key, at] = [keyOf(known), turn.now.wall];
  follow(turn, { oldKey: was.key, key, oldName: was.name, name, at });
  if (!isWatched(turn.state, known)) letGo(turn, key, at);
  return `${bold(was.name)} is now called ${bold(name)}`;
}

/** A deploy that ends with a rename: the one before has gone, on request or in trouble. True where that tells it all. */
function takesOver(turn: Turn, known: Known, key: string): boolean {
  const { state } = turn;
  const { info } = known;
  if (!isUp(info.state) || !isWatched(state, known)) return false;
  const story = state.stories.get(key);
  if (story?.kind === 'asked') {
    const { restartCount } = info;
    beginSettling(turn, known, story, turn.now.wall);
    info.restartCount = restartCount;
    return true;
  }
  if (story?.kind === 'removed') state.stories.delete(key);
  if (isInTrouble(turn.state, key, 'stopped')) tellRestored(turn, known, turn.now.wall);
  return false;
}

function follow(turn: Turn, names: Names): void {
  const { state, out } = turn;
  const { oldKey, key, name } = names;
  out.touched.add(oldKey).add(key);
  const story = state.stories.get(oldKey);
  if (story && 'death' in story) story.death.name = name;
  if (state.stories.has(key)) state.stories.delete(oldKey);
  else move(state.stories, oldKey, key);
  move(state.checks, oldKey, key);
  move(state.tallies, oldKey, key);
  const standing = state.standing.get(oldKey);
  for (const kind of TROUBLES) {
    const trouble = standing?.[kind];
    if (!trouble) continue;
    standingOf(state, key)[kind] = { ...trouble, finding: { ...trouble.finding, subject: name } };
    delete standing[kind];
  }
  if (standing && Object.keys(standing).length === 0) state.standing.delete(oldKey);
  // Also of what is fine at the moment, for its incident may still be open: it flaps.
  for (const kind of TROUBLES) out.findings.push(isCalled(kind, names));
}

function isCalled(kind: TroubleKind, { oldName, name, at }: Names): Finding {
  const text = `${oldName} is called ${name} now`;
  return { rule: RULE_OF[kind], subject: name, severity: 'info', verdict: 'unknown', text, was: oldName, at };
}

/** Its new name is not watched: nothing would tell when its troubles end. */
function letGo(turn: Turn, key: string, at: number): void {
  turn.state.stories.delete(key);
  turn.state.checks.delete(key);
  for (const kind of TROUBLES) endsQuietly(turn, key, kind, 'its new name is not watched', at);
}

function move<T>(map: Map<string, T>, from: string, to: string): void {
  const value = map.get(from);
  if (value === undefined) return;
  map.delete(from);
  map.set(to, value);
}
