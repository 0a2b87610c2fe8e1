import { endsQuietly, happened } from './findings.ts';
import { say } from './outlet.ts';
import { isUp, isWatched, put, serviceKey, standingOf } from './table.ts';
import { TROUBLES } from './types.ts';
import type { Known, Turn } from './types.ts';
import { bold } from './wording.ts';

/** A container got another name: everything that is known about the old one follows. */
export function renamed(turn: Turn, known: Known, name: string, at: number): void {
  const { state } = turn;
  const { info } = known;
  const oldName = info.name;
  if (name === oldName) return;
  const [oldKey, key] = [serviceKey(oldName), serviceKey(name)];
  if (state.byKey.get(oldKey) === info.id) state.byKey.delete(oldKey);
  info.name = name;
  put(state, known);
  for (const other of state.known.values())
    if (serviceKey(other.info.name) === oldKey && !state.byKey.has(oldKey))
      state.byKey.set(oldKey, other.info.id);
  if (oldKey === key) return; // Compose at work.
  // Its name is free for a successor now: what is told about the old name stays there where one exists already.
  if (state.byKey.get(key) !== info.id || state.byKey.has(oldKey)) return;
  follow(turn, oldKey, key, name, at);
  if (!isUp(info.state) || !isWatched(state, known)) return;
  const line = `${bold(oldName)} is now called ${bold(name)}`;
  const finding = happened('container-renamed', info, {
    text: `${oldName} is now called ${name}`,
    at,
    html: `🔄 ${line}`,
  });
  say(turn, { key, change: 'renamed', finding, line, severity: 'info' });
}

function follow(turn: Turn, oldKey: string, key: string, name: string, at: number): void {
  const { state, out } = turn;
  out.touched.add(oldKey).add(key);
  const story = state.stories.get(oldKey);
  if (story && 'death' in story) story.death.name = name;
  move(state.stories, oldKey, key);
  move(state.checks, oldKey, key);
  move(state.tallies, oldKey, key);
  const standing = state.standing.get(oldKey);
  for (const kind of TROUBLES) {
    const trouble = standing?.[kind];
    if (!trouble) continue;
    endsQuietly(turn, oldKey, kind, `it is called ${name} now`, at);
    const finding = { ...trouble.finding, subject: name, quiet: true };
    standingOf(state, key)[kind] = { ...trouble, finding: { ...trouble.finding, subject: name } };
    out.findings.push(finding);
  }
}

function move<T>(map: Map<string, T>, from: string, to: string): void {
  const value = map.get(from);
  if (value === undefined) return;
  map.delete(from);
  map.set(to, value);
}
