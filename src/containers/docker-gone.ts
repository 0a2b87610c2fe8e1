// Docker itself going away and coming back. Its end takes every container along (unless live-restore keeps them), and that
// is one message, not thirty; and one when it is back, with what did not come back.
import type { DockerInspect } from '../system/types.ts';
import type { Named, Next } from '../model/container-fact.ts';
import { deathOf, unstarted } from './cause.ts';
import { about, emit, reportNotTried, reportOver, stoppedFact } from './facts.ts';
import { applyFixed, applyState, current, drop, isUp, isWatched, keyOf, put } from './table.ts';
import type { Engine, Known, Turn } from './types.ts';

/** Nobody listens: that is certain, but a quick restart of Docker is not worth two messages. */
const REFUSED_GRACE_MS = 3000;
const SILENT_GRACE_MS = 10_000;
/** After a boot Docker may need a minute. */
const FIRST_GRACE_MS = 60_000;
/** What died this long before the stream ended, on request or not, died with Docker. */
const SHUTDOWN_MS = 60_000;
/** Docker gives its containers 15 s when it is stopped itself. */
const STOPS_WITHIN_MS = 15_000;
/** Containers get this long to come back with Docker. */
const RETURN_MS = 20_000;

export function newEngine(seen: boolean): Engine {
  return {
    up: false,
    seen,
    met: false,
    stale: false,
    downAt: { wall: 0, mono: 0 },
    why: '',
    reportAt: undefined,
    reported: false,
    before: new Map(),
  };
}

export function streamDown(turn: Turn, why: string, refused: boolean): void {
  const { engine } = turn.state;
  const first = !engine.up && engine.reportAt === undefined;
  engine.why = why;
  if (engine.up) {
    engine.downAt = turn.now;
    engine.up = false;
    if (!engine.reported) rememberRunning(turn);
    delete engine.returning;
  } else if (first && engine.downAt.wall === 0) engine.downAt = turn.now;
  if (refused) endWithDocker(turn);
  if (engine.reported || !engine.seen) return;
  const graceMs = !engine.met ? FIRST_GRACE_MS : refused ? REFUSED_GRACE_MS : SILENT_GRACE_MS;
  engine.reportAt = Math.min(engine.reportAt ?? Infinity, engine.downAt.mono + graceMs);
}

/** An engine that ends stops its containers the way `docker stop` does. Where nobody listens any more, it was that. */
function endWithDocker({ state }: Turn): void {
  const { engine } = state;
  for (const [key, pending] of state.pending) {
    if (pending.kind !== 'asked' || !engine.before.has(key)) continue;
    if (engine.downAt.wall - pending.death.at < STOPS_WITHIN_MS) pending.death.cause = 'engine';
  }
}

function rememberRunning(turn: Turn): void {
  const { state, now } = turn;
  const before: Engine['before'] = new Map();
  for (const known of state.known.values()) {
    const key = keyOf(known);
    if (!isWatched(state, known) || state.byKey.get(key) !== known.info.id) continue;
    const pending = state.pending.get(key);
    const death = pending && 'death' in pending ? pending.death : undefined;
    const diedWithIt = death !== undefined && now.wall - death.at < SHUTDOWN_MS;
    if (!isUp(known.info.state) && !diedWithIt) continue;
    const { id, startedAt = 0 } = known.info;
    before.set(key, { id, ...about(known.info), startedAt, ...(death && { endedAt: death.at }) });
  }
  state.engine.before = before;
}

/** Docker gone: reported once, when it has stayed away. */
export function engineDue(turn: Turn): void {
  const { state, now } = turn;
  const { engine } = state;
  if (!engine.up && !engine.reported && engine.reportAt !== undefined && now.mono >= engine.reportAt)
    reportGone(turn);
  if (engine.returning && now.mono >= engine.returning.due) reportBack(turn);
}

function reportGone(turn: Turn): void {
  const { state, out } = turn;
  const { engine } = state;
  engine.reported = true;
  engine.reportAt = undefined;
  let stopped = 0;
  for (const [key, pending] of state.pending) {
    if (!engine.before.has(key)) continue;
    if ('death' in pending) stopped += 1;
    state.pending.delete(key);
  }
  for (const known of state.known.values()) reportNotTried(turn, known);
  const names = [...engine.before.values()].map(about).toSorted(byName);
  const { why, downAt } = engine;
  out.facts.push({
    kind: 'docker-gone',
    name: 'docker',
    at: downAt.wall,
    why,
    ran: names.length,
    stopped,
    names,
  });
}

export function streamUp(turn: Turn): void {
  const { state, now, out } = turn;
  const { engine } = state;
  if (engine.up) return;
  engine.up = true;
  engine.seen = true;
  engine.met = true;
  engine.stale = true;
  engine.reportAt = undefined;
  // Stops that were held while nobody could see a successor get a moment for it; no more than it was away, for a stream may end often.
  const soonest = now.mono + Math.min(3000, now.mono - engine.downAt.mono);
  for (const pending of state.pending.values()) {
    pending.due = Math.max(pending.due, soonest);
    // What was looked at was before that.
    if ('checked' in pending) delete pending.checked;
  }
  out.asks.push({ kind: 'list' });
  if (!engine.reported) return;
  const unlooked = new Set(engine.before.keys());
  engine.returning = { due: now.mono + RETURN_MS, upAt: now, unlooked };
  for (const [key, was] of engine.before) {
    // Docker came back before, and another container took the name until it went again.
    was.id = current(state, key)?.info.id ?? was.id;
    out.asks.push({ kind: 'inspect', id: was.id, seq: -1, confirm: false });
  }
  if (unlooked.size === 0) reportBack(turn);
}

/** An inspect while Docker comes back: the table is set right, and nothing is reported. True where that was its use. */
export function lookedAt(turn: Turn, id: string, inspect: DockerInspect | undefined): boolean {
  const { state } = turn;
  const { returning, before } = state.engine;
  if (!returning) return false;
  const key = [...returning.unlooked].find((name) => before.get(name)?.id === id);
  const known = state.known.get(id);
  if (known && inspect && (key !== undefined || before.has(keyOf(known)))) {
    applyFixed(turn.state, known, inspect);
    applyState(known, inspect);
    put(state, known);
  }
  if (key === undefined) return false;
  // It ended while Docker was away, and removed itself.
  if (!inspect) drop(state, id);
  returning.unlooked.delete(key);
  return true;
}

/** Ends the coming back early where all are there again. */
export function allBack(turn: Turn): void {
  const { state } = turn;
  const { returning, before } = state.engine;
  if (!returning || returning.unlooked.size > 0) return;
  for (const key of before.keys()) {
    const known = current(state, key);
    if (!known || !isUp(known.info.state)) return;
  }
  reportBack(turn);
}

function reportBack(turn: Turn): void {
  const { state, out } = turn;
  const { engine } = state;
  const { before, returning } = engine;
  const back = returning?.upAt ?? turn.now;
  engine.reported = false;
  delete engine.returning;
  engine.before = new Map();
  const absent: Named[] = [];
  let kept = 0;
  for (const [key, was] of before) {
    out.touched.add(key);
    const known = current(state, key);
    const up = known !== undefined && isUp(known.info.state);
    if (up && known.info.id === was.id && known.info.startedAt === was.startedAt) {
      kept += 1;
      continue;
    }
    reportOver(turn, key, 'unhealthy', 'died', engine.downAt.wall);
    if (up) continue;
    absent.push(known ? about(was) : { ...about(was), removed: true });
    if (known) reportNotBack(turn, key, known, known.info.finishedAt ?? was.endedAt ?? engine.downAt.wall);
  }
  out.facts.push({
    kind: 'docker-back',
    name: 'docker',
    at: back.wall,
    // Somebody may have set the clock meanwhile.
    awayMs: back.mono - engine.downAt.mono,
    before: before.size,
    running: before.size - absent.length,
    kept,
    absent: absent.toSorted(byName),
  });
}

function byName(a: Named, b: Named): number {
  return a.name < b.name ? -1 : 1;
}

/** The message that Docker is back names it. */
function reportNotBack(turn: Turn, key: string, known: Known, at: number): void {
  const { info } = known;
  // Created in the place of one that ran, and never started: it did not end with Docker.
  const never = info.state === 'created';
  const death = never ? { ...unstarted(turn, known), at } : deathOf(known, at, info.exitCode ?? -1, 'engine');
  const next: Next = never ? { kind: 'not-tried-again' } : { kind: 'not-back', policy: info.restartPolicy };
  emit(turn, key, { ...stoppedFact(death), next, reported: true });
}
