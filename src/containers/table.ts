import { namesContainer } from '../config/schema.ts';
import { secretsFromEnv } from '../model/secret-patterns.ts';
import type { ServiceCounts, ServiceStatus } from '../model/monitor-report.ts';
import type { ContainerState } from '../model/snapshot.ts';
import { labelledAs, limitsOf, SWARM_SERVICE, toContainerInfo } from '../system/docker/containers.ts';
import { parseSignal } from './cause.ts';
import type { DockerEvent, DockerInspect } from '../system/types.ts';
import { serviceKey } from '../model/service-key.ts';
import { holds, type Claim } from '../model/change.ts';
import type { Condition, ContainerFact, Holding } from '../model/container-fact.ts';
import type { Known, Moment, News, Shadowed, State, Tally, Turn } from './types.ts';

/** A container may ask to be left alone, about itself only: `docker run --label vpsmon.ignore=true`. */
const IGNORE = 'vpsmon.ignore';
const SHADOWED: Shadowed[] = ['exitCode', 'signal', 'name'];
export const DAY_MS = 86_400_000;
const MAX_RESTARTS = 100;
/** Not to be executed, not found, not to be started. */
const STARTS_FAIL_WITH = [126, 127, 128];

/** A container that is known from an event only. */
export function fromEvent(event: DockerEvent): Known {
  const { attributes } = event;
  return {
    info: {
      id: event.id,
      name: event.name,
      ...labelledAs(attributes),
      image: attributes['image'] ?? '',
      state: event.action === 'create' ? 'created' : 'running',
      health: 'none',
      restartCount: 0,
      restartsLast5Min: 0,
      restartPolicy: 'no',
      oomKilled: false,
      limitBytes: null,
      self: false,
    },
    maxRetries: 0,
    autoRemove: false,
    complete: false,
    seq: 0,
    ...fromLabels(attributes, event.name),
  };
}

function fromLabels(labels: Record<string, string>, name: string): Pick<Known, 'swarm' | 'ignored'> {
  return {
    // Anybody may set the label; only Swarm names a container after its task.
    ...(labels[SWARM_SERVICE] && serviceKey(name) !== name ? { swarm: true } : {}),
    ...(labels[IGNORE]?.toLowerCase() === 'true' ? { ignored: true } : {}),
  };
}

/** What of an inspect is the same as long as the container is. */
function fixedOf(inspect: DockerInspect): Partial<Known> {
  const { name, labels, stopSignal, stopTimeoutMs } = inspect;
  const shadowed = SHADOWED.filter((attribute) => Object.hasOwn(labels, attribute));
  return {
    ...fromLabels(labels, name),
    ...(shadowed.length > 0 ? { shadowed } : {}),
    ...(stopSignal === undefined ? {} : { stopSignal: parseSignal(stopSignal) }),
    ...(stopTimeoutMs === undefined ? {} : { stopTimeoutMs }),
  };
}

export function fromInspect(inspect: DockerInspect, self: boolean): Known {
  const { maximumRetryCount, autoRemove } = inspect.hostConfig;
  const info = toContainerInfo(inspect, { restartsLast5Min: 0, self });
  const known: Known = { info, maxRetries: maximumRetryCount, autoRemove, complete: true, seq: 0 };
  return Object.assign(known, fixedOf(inspect), startErrorOf(inspect));
}

/** What an event never changes behind our back: always safe to take from an inspect, however old. */
export function applyFixed(state: State, known: Known, inspect: DockerInspect): void {
  state.incomplete.delete(known.info.id);
  const { hostConfig } = inspect;
  known.complete = true;
  known.maxRetries = hostConfig.maximumRetryCount;
  known.autoRemove = hostConfig.autoRemove;
  known.info.restartPolicy = hostConfig.restartPolicy || 'no';
  Object.assign(known.info, limitsOf(hostConfig));
  known.info.image = inspect.image;
  Object.assign(known.info, labelledAs(inspect.labels));
  Object.assign(known, fixedOf(inspect));
}

/** Its start failed: Docker leaves it as it was created, and writes down why. There is no event for it. */
function startErrorOf({ state }: DockerInspect): Pick<Known, 'startError'> {
  const failed =
    state.status === 'created' && (state.error !== '' || STARTS_FAIL_WITH.includes(state.exitCode));
  return failed ? { startError: { text: state.error, exitCode: state.exitCode } } : {};
}

/** The time in an inspect and the time of the event differ by less. */
export const SAME_MS = 2000;

/** State, health and counts, as of the inspect. */
export function applyState(known: Known, inspect: DockerInspect): void {
  const { name, self, startedAt } = known.info;
  // Of another start Docker knows the time by the clock as it is now.
  if (Math.abs(inspect.state.startedAt - (startedAt ?? 0)) >= SAME_MS) delete known.clockSetBy;
  known.info = { ...toContainerInfo(inspect, { restartsLast5Min: 0, self }), name };
  delete known.startError;
  Object.assign(known, startErrorOf(inspect));
}

/** What must not be shown of a container's lines: the secrets of the settings, and those of its own environment. */
export function secretsWith(state: State, inspect: DockerInspect | undefined): string[] {
  return [...state.rules.secrets, ...secretsFromEnv(inspect?.env)];
}

/** Docker shows what these have kept; of the others it may have a copy (dual logging), or nothing at all. */
const READABLE_DRIVERS = new Set(['json-file', 'local', 'journald', '']);

/** A log driver that keeps no lines for Docker to show. */
export function unreadableDriver(inspect: DockerInspect | undefined): string | undefined {
  const driver = inspect?.logDriver ?? '';
  return READABLE_DRIVERS.has(driver) ? undefined : driver;
}

/** Its processes exist. */
export function isUp(state: ContainerState): boolean {
  return state === 'running' || state === 'paused';
}

export function keyOf(known: Known): string {
  return serviceKey(known.info.name);
}

export function put(state: State, known: Known): void {
  state.known.set(known.info.id, known);
  if (!known.complete) state.incomplete.add(known.info.id);
  const key = keyOf(known);
  const other = state.known.get(state.byKey.get(key) ?? '');
  // While Compose replaces a container two share the key: the one that runs has it, else the newer one. Of two with the very
  // same name the older one is gone already.
  const replaced =
    !other || other === known || !isUp(other.info.state) || other.info.name === known.info.name;
  if (replaced) state.byKey.set(key, known.info.id);
}

export function drop(state: State, id: string): void {
  const known = state.known.get(id);
  if (!known) return;
  state.known.delete(id);
  state.incomplete.delete(id);
  state.suspects.delete(id);
  const key = keyOf(known);
  if (state.byKey.get(key) !== id) return;
  state.byKey.delete(key);
  for (const other of state.known.values()) if (keyOf(other) === key) state.byKey.set(key, other.info.id);
}

export function current(state: State, key: string): Known | undefined {
  const id = state.byKey.get(key);
  return id === undefined ? undefined : state.known.get(id);
}

/** Whether a claim about a container holds; undefined while nobody can see it: Docker does not answer, its state in the list did not fit, or its health was not checked since a pause. */
export function claimHolds(state: State, name: string, claim: Claim): boolean | undefined {
  const { engine, suspects } = state;
  if (claim === 'no-docker') return engine.up || engine.why !== '' ? !engine.up : undefined;
  const known = current(state, serviceKey(name));
  const suspect = known && suspects.get(known.info.id);
  // Another one may bear the name by now: it is being looked at.
  if (!known && [...suspects].some(([id, { unsure }]) => unsure && !state.known.has(id))) return undefined;
  if (!engine.up || engine.stale || (suspect?.unsure && suspect.seq === known?.seq)) return undefined;
  if (claim === 'unhealthy' && known?.info.state === 'running' && known.unpausedAt !== undefined)
    return undefined;
  return holds(claim, known?.info);
}

/** The containers that a name in the settings means. */
export function bearersOf(state: State, name: string): Known[] {
  return [...state.known.values()].filter(({ info }) => namesContainer(name, info));
}

export function isWatched(state: State, known: Known): boolean {
  return known.ignored !== true && state.rules.of(known.info).watched;
}

/** Since when a condition of a service holds; undefined: it does not. */
export function conditionOf(state: State, key: string, condition: Condition): Holding | undefined {
  return state.conditions.get(key)?.[condition];
}

/** A condition holds from now on. */
export function hold(turn: Turn, key: string, condition: Condition, holding: Holding): void {
  const { state, out } = turn;
  state.conditions.set(key, { ...state.conditions.get(key), [condition]: holding });
  out.touched.add(key);
}

/** A condition holds no more; undefined where it did not. */
export function release({ state, out }: Turn, key: string, condition: Condition): Holding | undefined {
  const conditions = state.conditions.get(key);
  const holding = conditions?.[condition];
  if (!conditions || !holding) return undefined;
  delete conditions[condition];
  if (Object.keys(conditions).length === 0) state.conditions.delete(key);
  out.touched.add(key);
  return holding;
}

export function tallyOf(state: State, key: string): Tally {
  let tally = state.tallies.get(key);
  if (!tally) state.tallies.set(key, (tally = { restarts: [] }));
  return tally;
}

/** Jobs with random names come and go for years: what is counted of one that is gone is dropped when it is of no use. */
export function forgetGone(state: State, now: Moment): void {
  for (const key of state.tallies.keys()) {
    if (state.byKey.has(key) || state.pending.has(key) || state.conditions.has(key)) continue;
    if (seriesOf(state, key, now) || restartsWithin(state, key, now.wall, DAY_MS) > 0) continue;
    state.tallies.delete(key);
  }
}

/** What is to be handed on about the service of this key, where it is of this kind. */
export function newsOf(state: State, key: string, kind: ContainerFact['kind']): News | undefined {
  const pending = state.pending.get(key);
  return pending?.kind === 'news' && pending.fact.kind === kind ? pending : undefined;
}

/** The series of restarts that goes on; undefined: none does. */
export function seriesOf(state: State, key: string, now: Moment): Tally['series'] {
  const series = state.tallies.get(key)?.series;
  return series && now.mono < series.until ? series : undefined;
}

/** A start that followed a death nobody asked for. */
export function countRestart(state: State, key: string, at: number): void {
  const tally = tallyOf(state, key);
  tally.restarts = [...tally.restarts.filter((t) => Math.abs(at - t) < DAY_MS), at].slice(-MAX_RESTARTS);
}

export function restartsWithin(state: State, key: string, now: number, windowMs: number): number {
  let count = 0;
  const restarts = state.tallies.get(key)?.restarts;
  if (restarts === undefined) return count;
  // A clock that was set back leaves times ahead of now; they are over in a moment.
  for (const t of restarts) if (now - t < windowMs && t - now < 60_000) count += 1;
  return count;
}

/** True while Docker comes back: then only the table is kept, and one message has all that ran before. */
export function isFolded(state: State, key: string): boolean {
  const { engine } = state;
  return engine.returning !== undefined && engine.before.has(key);
}

/** Every watched service once, with the missing ones. */
export function serviceLines(state: State): ServiceStatus[] {
  const lines: ServiceStatus[] = [];
  for (const known of state.known.values()) {
    const { info } = known;
    if (!isWatched(state, known)) continue;
    // Compose's short-lived second container of a service is no service of its own.
    if (state.byKey.get(keyOf(known)) !== info.id) continue;
    const { id: containerId, name, health, restartCount } = info;
    lines.push({ name, state: info.state, health, restartCount, containerId });
  }
  for (const { missing } of state.conditions.values())
    if (missing && bearersOf(state, missing.name).length === 0)
      lines.push({ name: missing.name, state: 'missing', health: 'none', restartCount: 0 });
  return lines;
}

export function countServices(state: State): ServiceCounts {
  const counts: ServiceCounts = { monitored: 0, running: 0, stopped: 0, restarting: 0, unhealthy: 0 };
  for (const line of serviceLines(state)) {
    counts.monitored += 1;
    if (line.state === 'running') counts.running += 1;
    else if (line.state === 'restarting') counts.restarting += 1;
    else counts.stopped += 1;
    if (line.state !== 'missing' && isUp(line.state) && line.health === 'unhealthy') counts.unhealthy += 1;
  }
  return counts;
}
