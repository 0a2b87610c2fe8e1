import * as v from 'valibot';
import type { Culprit, Forecast, ForecastKind } from '../model/forecast.ts';
import { defined } from '../model/defined.ts';
import { Finite } from '../model/shapes.ts';
import { heldBytes } from '../model/container-memory.ts';
import type { ContainerInfo, HostValues } from '../model/snapshot.ts';
import type { Readings, Snapshot } from '../model/sources.ts';
import { culpritOf, type Candidate } from './culprit.ts';
import { Announced, judge, newForecaster, type Forecaster, type Judged, type Limits } from './forecaster.ts';
import { addQuarter, addSample } from './series.ts';

/** A half hour ends for all series at once; they are judged over several checks, so that none of them takes long. */
const JUDGED_PER_CHECK = 20;
const WEEK_MS = 7 * 86_400_000;
/** What is not seen for so long grows no more: a container that was stopped, a disk that was unmounted. */
const UNSEEN_MS = 10 * 60_000;
/** An announcement that is over is reported for so long, so that its incident ends with a reason. */
const ENDED_MS = 3_600_000;
/** So long after the start an announcement waits for Docker, which knows the culprit. */
const LATE_MS = 10 * 60_000;
/** With so much more room (a raised limit, more swap) what is critical is as urgent as it is then. */
const MORE_ROOM = 1.25;
/** More series than this: those of containers that are gone are forgotten. */
const SPARE_SERIES = 700;

/** Quarter hours of the history: series name, epoch ms, minimum, average, maximum; ascending in time. */
export type Quarters = (
  wanted: (name: string) => boolean,
  since: number,
  visit: (name: string, at: number, min: number, average: number, max: number) => void,
) => void;

export type ForecastDeps = {
  limits: Limits;
  quarters: Quarters;
  /** Announcements of before a restart. */
  recall(): Saved;
  save(saved: Saved): void;
  /** The largest processes outside of containers, largest first. */
  processes(): { name: string; bytes: number }[];
};
/** `capacity`: of the last verdict; versions before 0.5.0 did not save it. */
export const Saved = v.record(v.string(), v.object({ ...Announced.entries, capacity: v.optional(Finite) }));
export type Saved = v.InferOutput<typeof Saved>;

export type Forecasts = {
  /** Takes a check; judges what is due, and reads the history at the first one. */
  add(snapshot: Snapshot): void;
  /** What is announced, and what ended within the last hour. */
  announced(now: number): Forecast[];
  /** Judges everything now, and returns all that is followed. */
  all(now: number): Forecast[];
};

type Entry = {
  key: string;
  kind: ForecastKind | 'outside';
  subject: string;
  container?: ContainerInfo;
  used: number;
  /** 0 where there is no limit, and until it has been seen. */
  capacity: number;
  /** Since the start; until then it is known from the history only. */
  isSeen: boolean;
  seenAt: number;
  firstAt: number;
  forecaster: Forecaster;
  verdict?: Judged;
  /** The capacity of the last verdict. */
  judgedFor?: number;
  culprit?: Culprit;
  endedAt?: number;
  queued: boolean;
};

type Late = 'docker' | 'postgres' | 'redis';
/**
 * What is followed; `unmet`: sources that have not answered since the start. What the history has of theirs is kept until they do.
 * `withUsed`: mounts of which the history has what is used, as it has since 0.5.0; before, it is what is not free of the size now.
 */
type Watch = {
  deps: ForecastDeps;
  entries: Map<string, Entry>;
  due: Entry[];
  /** Epoch ms of the first check that could read the host. */
  begunAt?: number;
  unmet: Set<Late>;
  withUsed: Set<string>;
  withoutSwap: boolean;
  /** Epoch ms of the last check that saw containers. */
  listedAt: number;
};
/** Where what is followed comes from. */
const SOURCES = {
  memory: 'host',
  disk: 'host',
  inodes: 'host',
  outside: 'host',
  container: 'docker',
  connections: 'postgres',
  redis: 'redis',
} as const satisfies Record<Entry['kind'], keyof Readings>;

/**
 * Follows what can run out: memory and swap of the host, of each container with a limit, disks, inodes, PostgreSQL's connections
 * and Redis' memory. What containers without a limit hold is followed, too, for it shows who fills the host.
 */
export function createForecasts(deps: ForecastDeps): Forecasts {
  const watch: Watch = {
    deps,
    entries: new Map(),
    due: [],
    unmet: new Set(),
    withUsed: new Set(),
    withoutSwap: false,
    listedAt: 0,
  };
  return {
    add: (snapshot) => add(watch, snapshot),
    announced: (now) =>
      [...watch.entries.values()]
        .filter(
          ({ verdict, endedAt }) => verdict?.open || (endedAt !== undefined && now - endedAt < ENDED_MS),
        )
        .map((entry) => toForecast(watch, entry, now)),
    all(now) {
      for (const entry of watch.due.splice(0)) judgeEntry(watch, entry, now);
      return [...watch.entries.values()]
        .filter(({ kind, capacity }) => kind !== 'outside' && capacity > 0)
        .map((entry) => toForecast(watch, entry, now));
    },
  };
}

function add(watch: Watch, snapshot: Snapshot): void {
  const { at: now, readings } = snapshot;
  // Nothing is reported without the host, and what the history has of disks is read by their sizes now.
  if (watch.begunAt === undefined && readings.host.state !== 'ok') return;
  if (readings.host.state === 'ok') watch.withoutSwap = readings.host.value.swap.totalBytes === 0;
  if (readings.docker.state === 'ok') watch.listedAt = now;
  eachUse(snapshot, (kind, subject, used, capacity, container) => {
    const entry = entryOf(watch, kind, subject, now);
    if (container && !entry.container) inherit(watch, entry, container);
    Object.assign(entry, { used, capacity, isSeen: true, seenAt: now });
    if (container) entry.container = container;
    if (watch.begunAt !== undefined) feed(watch, entry, now, used);
  });
  if (watch.begunAt === undefined) begin(watch, snapshot);
  for (const source of watch.unmet) if (readings[source].state === 'ok') meet(watch, source);
  for (const entry of watch.due.splice(0, JUDGED_PER_CHECK)) judgeEntry(watch, entry, now);
  forget(watch, snapshot);
}

function entryOf(watch: Watch, kind: Entry['kind'], subject: string, now: number): Entry {
  const key = `${kind}:${subject}`;
  let entry = watch.entries.get(key);
  if (!entry) {
    entry = {
      key,
      kind,
      subject,
      used: 0,
      capacity: 0,
      isSeen: false,
      seenAt: now,
      firstAt: now,
      forecaster: newForecaster(),
      queued: false,
    };
    watch.entries.set(key, entry);
  }
  return entry;
}

/** A container that was renamed goes on as it was. The old name keeps its values: where Compose is at work, a successor has it in a moment. */
function inherit(watch: Watch, entry: Entry, { id }: ContainerInfo): void {
  for (const old of watch.entries.values()) {
    const { container, firstAt, forecaster, verdict, judgedFor } = old;
    if (container?.id !== id || firstAt >= entry.firstAt) continue;
    const { kept } = forecaster.series;
    entry.forecaster = { ...forecaster, series: { ...forecaster.series, kept: kept.slice() } };
    Object.assign(entry, defined({ firstAt, verdict, judgedFor }));
    forecaster.open = undefined;
    delete old.verdict;
    if (verdict?.open) save(watch);
    return;
  }
}

function feed(watch: Watch, entry: Entry, at: number, used: number): void {
  if (addSample(entry.forecaster.series, at, used)) queue(watch, entry);
}

function queue(watch: Watch, entry: Entry): void {
  if (entry.queued) return;
  entry.queued = true;
  watch.due.push(entry);
}

/** Everything that was known before this start, from the history; also of what no source has shown yet. */
function begin(watch: Watch, { at: now, readings }: Snapshot): void {
  watch.begunAt = now;
  for (const source of ['docker', 'postgres', 'redis'] as const)
    if (readings[source].state !== 'ok') watch.unmet.add(source);
  const host = watch.entries.get('memory:host');
  const outside = entryOf(watch, 'outside', 'host', now);
  const sums = { at: 0, total: 0, available: 0, swap: 0, held: 0, most: 0, least: 0 };
  const flush = () => {
    if (!host || sums.total === 0) return;
    const capacity = sums.total;
    const used = capacity - sums.available + sums.swap;
    quarter(host, sums.at, capacity - sums.most, used, capacity - sums.least);
    if (sums.held > 0) quarter(outside, sums.at, used - sums.held, used - sums.held, used - sums.held);
  };
  watch.deps.quarters(isFollowed, now - WEEK_MS, (name, at, min, average, max) => {
    if (at !== sums.at) {
      flush();
      Object.assign(sums, { at, total: 0, available: 0, swap: 0, held: 0, most: 0, least: 0 });
    }
    if (name === 'memory.total') sums.total = average;
    else if (name === 'memory.available')
      [sums.available, sums.least, sums.most] = [average, sums.least + min, sums.most + max];
    else if (name === 'swap.used')
      [sums.swap, sums.least, sums.most] = [average, sums.least - max, sums.most - min];
    else restore(watch, name, now, at, min, average, max);
    if (name.startsWith('container.anon:')) sums.held += average;
  });
  flush();
  const saved = watch.deps.recall();
  for (const entry of watch.entries.values()) {
    const before = saved[entry.key];
    if (before) {
      const { capacity, ...open } = before;
      entry.forecaster.open = open;
      entry.verdict = { open, event: undefined, perHour: open.perHour };
      if (capacity !== undefined) entry.judgedFor = capacity;
    }
    if (!entry.isSeen) continue;
    feed(watch, entry, now, entry.used);
    queue(watch, entry);
  }
}

function restore(
  watch: Watch,
  name: string,
  now: number,
  at: number,
  min: number,
  average: number,
  max: number,
): void {
  const colon = name.indexOf(':');
  const series = colon < 0 ? name : name.slice(0, colon);
  const kind = KINDS[series];
  if (!kind) return;
  const subject = colon < 0 ? SUBJECTS[series]! : name.slice(colon + 1);
  const source = SOURCES[kind];
  // A disk may be mounted later, and its source be late.
  const mayCome = source === 'host' ? series !== 'disk.available' : watch.unmet.has(source);
  const entry = mayCome ? entryOf(watch, kind, subject, now) : watch.entries.get(`${kind}:${subject}`);
  if (!entry) return;
  if (series === 'disk.used') watch.withUsed.add(subject);
  if (series !== 'disk.available') quarter(entry, at, min, average, max);
  else if (!watch.withUsed.has(subject))
    quarter(entry, at, entry.capacity - max, entry.capacity - average, entry.capacity - min);
}

function quarter(entry: Entry, at: number, min: number, average: number, max: number): void {
  entry.firstAt = Math.min(entry.firstAt, at);
  addQuarter(entry.forecaster.series, at, min, average, max);
}

function judgeEntry(watch: Watch, entry: Entry, now: number): void {
  entry.queued = false;
  // The memory of all processes outside of containers, and containers without a limit, only show who fills the host.
  if (entry.kind === 'outside') return;
  const { forecaster, capacity, judgedFor = capacity } = entry;
  entry.judgedFor = capacity;
  if (forecaster.open && capacity > MORE_ROOM * judgedFor)
    forecaster.open = { ...forecaster.open, severity: 'warning' };
  if (capacity > 0) entry.verdict = judge(forecaster, now, capacity, watch.deps.limits);
  else if (entry.verdict?.open) {
    forecaster.open = undefined;
    entry.verdict = { open: undefined, event: 'ended', perHour: undefined };
  } else return;
  const { open, event } = entry.verdict;
  if (event === 'ended') entry.endedAt = now;
  if (open && entry.kind === 'memory') explain(watch, entry, open);
  if (open || event) save(watch);
}

function explain(watch: Watch, entry: Entry, open: Announced): void {
  const candidates: Candidate[] = [];
  let outside: Forecaster['series'] | undefined;
  for (const other of watch.entries.values()) {
    if (other.kind === 'outside') outside = other.forecaster.series;
    // One that is gone does not grow, whatever it did before.
    if (other.container && Math.abs(watch.listedAt - other.seenAt) < UNSEEN_MS)
      candidates.push({ container: other.container, series: other.forecaster.series });
  }
  const { culprit, since } = culpritOf(
    { host: entry.forecaster.series, perHour: open.perHour },
    candidates,
    outside,
  );
  if (since !== undefined) open.since = since;
  delete entry.culprit;
  if (!culprit) return;
  entry.culprit = culprit.kind === 'outside' ? { ...culprit, processes: watch.deps.processes() } : culprit;
}

function save(watch: Watch): void {
  const saved: Saved = {};
  for (const { key, verdict, judgedFor } of watch.entries.values())
    if (verdict?.open) saved[key] = { ...verdict.open, ...defined({ capacity: judgedFor }) };
  watch.deps.save(saved);
}

/** The source shows what there is: the rest that the history has of it is gone. */
function meet(watch: Watch, source: Late): void {
  watch.unmet.delete(source);
  for (const { key, kind, isSeen } of watch.entries.values())
    if (SOURCES[kind] === source && !isSeen) watch.entries.delete(key);
  const host = watch.entries.get('memory:host');
  if (source === 'docker' && host?.verdict?.open) explain(watch, host, host.verdict.open);
}

function forget(watch: Watch, { at: now, readings }: Snapshot): void {
  for (const entry of watch.entries.values()) {
    // Of a source that fails nobody knows what is gone.
    if (Math.abs(now - entry.seenAt) < UNSEEN_MS || readings[SOURCES[entry.kind]].state === 'failed')
      continue;
    if (entry.verdict?.open || watch.entries.size > SPARE_SERIES) {
      watch.entries.delete(entry.key);
      save(watch);
    }
  }
}

function toForecast(watch: Watch, entry: Entry, now: number): Forecast {
  const { withoutSwap, unmet, begunAt = now } = watch;
  const beforeContainers = unmet.has('docker') && Math.abs(now - begunAt) < LATE_MS;
  const { kind, subject, container, used, capacity, verdict, culprit } = entry;
  const open = verdict?.open;
  return {
    kind: kind as ForecastKind,
    subject: NAMES[kind] ?? subject,
    ...(container?.service ? { alias: container.service } : {}),
    used,
    capacity,
    ...(kind === 'memory' && withoutSwap ? { withoutSwap } : {}),
    ...(kind === 'memory' && beforeContainers ? { beforeContainers } : {}),
    ...(container?.limitBytes && capacity > container.limitBytes
      ? { swapBytes: capacity - container.limitBytes }
      : {}),
    knownHours: Math.min(WEEK_MS, now - entry.firstAt) / 3_600_000,
    ...(open
      ? {
          growth: {
            perHour: open.perHour,
            since: open.since,
            fullAt: open.fullAt,
            severity: open.severity,
            agreeing: open.agreeing,
          },
        }
      : {}),
    ...(!open && verdict?.perHour !== undefined ? { maybePerHour: verdict.perHour } : {}),
    ...(open && culprit ? { culprit } : {}),
  };
}

const KINDS: Record<string, ForecastKind> = {
  'container.anon': 'container',
  'disk.available': 'disk',
  'disk.used': 'disk',
  'disk.inodes': 'inodes',
  'postgres.connections': 'connections',
  'redis.memory': 'redis',
};
const SUBJECTS: Record<string, string> = { 'postgres.connections': 'postgres', 'redis.memory': 'redis' };
/** A container may be called `postgres` as well: incidents of both must not be taken for one. */
const NAMES: Partial<Record<Entry['kind'], string>> = {
  connections: 'postgres-connections',
  redis: 'redis-memory',
};

function isFollowed(name: string): boolean {
  const colon = name.indexOf(':');
  const series = colon < 0 ? name : name.slice(0, colon);
  return series in KINDS || name === 'memory.total' || name === 'memory.available' || name === 'swap.used';
}

type Visit = (
  kind: Entry['kind'],
  subject: string,
  used: number,
  capacity: number,
  container?: ContainerInfo,
) => void;

/** Hands out what can run out. A source that was not read has nothing. */
function eachUse({ readings }: Snapshot, visit: Visit): void {
  const { host, docker, postgres, redis } = readings;
  const containers = docker.state === 'ok' ? docker.value.containers : undefined;
  if (host.state === 'ok') hostUse(host.value, containers, visit);
  const swap = host.state === 'ok' ? host.value.swap : undefined;
  for (const container of containers ?? []) {
    if (!container.memory) continue;
    const limit = container.limitBytes ?? 0;
    const capacity = limit && limit + swapBeyond(container, swap);
    visit('container', container.name, heldBytes(container.memory), capacity, container);
  }
  if (postgres.state === 'ok') {
    const { total, max, reserved = 0 } = postgres.value.connections;
    visit('connections', 'postgres', total, max - reserved);
  }
  if (redis.state === 'ok') {
    const { usedMemoryBytes, maxMemoryBytes, policy } = redis.value;
    // One that may evict any key is meant to be full.
    const evicts = policy?.startsWith('allkeys-') === true;
    if (maxMemoryBytes !== null && !evicts) visit('redis', 'redis', usedMemoryBytes, maxMemoryBytes);
  }
}

/** What it may still move to swap before it is killed at its limit: what it is allowed, as far as the host has it. */
function swapBeyond({ memory, swapLimitBytes }: ContainerInfo, swap: HostValues['swap'] | undefined): number {
  if (swapLimitBytes === undefined || !swap) return 0;
  const within = swap.totalBytes - swap.usedBytes + (memory?.swapBytes ?? 0);
  return Math.max(0, Math.min(swapLimitBytes ?? Number.POSITIVE_INFINITY, within));
}

function hostUse(host: HostValues, containers: readonly ContainerInfo[] | undefined, visit: Visit): void {
  const { memory, swap } = host;
  const used = memory.totalBytes - memory.availableBytes + swap.usedBytes;
  visit('memory', 'host', used, memory.totalBytes + swap.totalBytes);
  if (containers) {
    let held = 0;
    for (const container of containers) if (container.memory) held += heldBytes(container.memory);
    visit('outside', 'host', used - held, memory.totalBytes + swap.totalBytes);
  }
  for (const disk of host.disks) {
    const { usedBytes, availableBytes } = disk;
    if (usedBytes !== undefined && availableBytes !== undefined)
      visit('disk', disk.mount, usedBytes, usedBytes + availableBytes);
    if (disk.inodesUsedPercent !== undefined) visit('inodes', disk.mount, disk.inodesUsedPercent, 100);
  }
}
