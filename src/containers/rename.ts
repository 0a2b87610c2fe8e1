import { safeHtml } from '../model/text.ts';
import { isDown } from './damping.ts';
import { endsQuietly, happened } from './findings.ts';
import { tellMissing } from './missing.ts';
import { flushAbout, say } from './outlet.ts';
import { tellRestored } from './restarts.ts';
import { beginSettling } from './settle.ts';
import { left, SUCCESSOR_WAIT_MS } from './stories.ts';
import { isUp, isWatched, keyOf, put, serviceKey, standingOf } from './table.ts';
import { FLAP_KINDS, TROUBLES } from './types.ts';
import type { Known, Trouble, Turn } from './types.ts';
import { bold } from './wording.ts';

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
  const line = `${bold(oldName)} is now called ${bold(name)}`;
  const finding = happened('container-renamed', info, {
    text: `${oldName} is now called ${name}`,
    at,
    html: `🔄 ${line}`,
  });
  say(turn, { key, change: 'renamed', finding, line, severity: 'info' });
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
  if (isDown(turn, key, 'stopped')) tellRestored(turn, known, turn.now.wall);
  return false;
}

function follow(turn: Turn, names: Names): void {
  const { state, out } = turn;
  const { oldKey, key, name, at } = names;
  out.touched.add(oldKey).add(key);
  // Said under the old name now; later it would open an incident there that nothing ends.
  flushAbout(turn, oldKey);
  const story = state.stories.get(oldKey);
  if (story && 'death' in story) story.death.name = name;
  if (state.stories.has(key)) state.stories.delete(oldKey);
  else move(state.stories, oldKey, key);
  move(state.checks, oldKey, key);
  move(state.tallies, oldKey, key);
  for (const kind of FLAP_KINDS) {
    const flap = state.tallies.get(key)?.flaps[kind];
    if (flap?.down) flap.down = underNewName(flap.down, names);
    if (flap?.resolved) flap.resolved = { ...flap.resolved, ...resolvedUnderNewName(flap.resolved, names) };
  }
  const standing = state.standing.get(oldKey);
  for (const kind of TROUBLES) {
    const trouble = standing?.[kind];
    if (!trouble) continue;
    endsQuietly(turn, oldKey, kind, `it is called ${name} now`, at);
    const finding = underNewName(trouble.finding, names);
    standingOf(state, key)[kind] = { ...trouble, finding };
    out.findings.push({ ...finding, quiet: true });
  }
}

/** Its repeats and its end name it as it is called now. */
function underNewName(finding: Trouble['finding'], names: Names): Trouble['finding'] {
  const { opened } = finding.html ?? {};
  return {
    ...finding,
    subject: names.name,
    text: inText(finding.text, names),
    ...(opened === undefined ? {} : { html: { ...finding.html, opened: inHtml(opened, names) } }),
  };
}

function resolvedUnderNewName(
  said: { text: string; html?: string },
  names: Names,
): { text: string; html?: string } {
  const { text, html } = said;
  return { text: inText(text, names), ...(html === undefined ? {} : { html: inHtml(html, names) }) };
}

function inText(text: string, { oldName, name }: Names): string {
  if (text.startsWith(`${oldName} `)) return `${name}${text.slice(oldName.length)}`;
  return text.replace(` of ${oldName} `, () => ` of ${name} `);
}

function inHtml(html: string, { oldName, name }: Names): string {
  return html.replace(`\nService: ${safeHtml(oldName, 300)}\n`, () => `\nService: ${safeHtml(name, 300)}\n`);
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
