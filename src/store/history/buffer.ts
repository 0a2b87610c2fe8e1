// Checks that wait to be written. 500 containers are 1,500 values a check: as numbers in two arrays they are 18 KB, as objects
// with names they were 200 KB, a megabyte in the minute until they were written.
import type { Snapshot, Readings } from '../../model/sources.ts';
import { heldBytes } from '../../model/container-memory.ts';
import type { ContainerInfo, HostValues } from '../../model/snapshot.ts';

/** One series; `id` once the database has given it one. */
export type Series = { name: string; step: number; id?: number };
/** One check: the series with the numbers in `series` have the values at the same places in `values`. */
export type Buffered = { at: number; series: Uint32Array; values: Float64Array };
export type HistoryBuffer = {
  add(snapshot: Snapshot): void;
  /** Oldest first. */
  checks(): readonly Buffered[];
  seriesOf(number: number): Series;
  /** Forgets the ids that the database gave: it has given them up. */
  forgetIds(): void;
  /** Leaves out all but the newest checks. */
  keepOnly(newest: number): void;
};

/** Names that nobody uses any more (containers with a new name for each run) are forgotten when they are this many. */
const SPARE_NAMES = 1000;

export function createHistoryBuffer(): HistoryBuffer {
  let checks: Buffered[] = [];
  let table: Series[] = [];
  let numbers = new Map<string, Map<string, number>>();
  let count = 0;
  let series = new Uint32Array(64);
  let values = new Float64Array(64);

  function numberOf(kind: string, subject: string, step: number): number {
    let ofKind = numbers.get(kind);
    if (!ofKind) numbers.set(kind, (ofKind = new Map()));
    let number = ofKind.get(subject);
    if (number === undefined) {
      number = table.push({ name: subject === '' ? kind : `${kind}:${subject}`, step }) - 1;
      ofKind.set(subject, number);
    }
    return number;
  }

  function put(kind: string, step: number, value: number | undefined, subject = ''): void {
    if (value === undefined || !Number.isFinite(value)) return;
    if (count === values.length) {
      const [small, short] = [series, values];
      series = new Uint32Array(count * 2);
      values = new Float64Array(count * 2);
      series.set(small);
      values.set(short);
    }
    series[count] = numberOf(kind, subject, step);
    values[count] = value;
    count += 1;
  }

  return {
    add(snapshot) {
      // Only while nothing that waits uses their numbers.
      if (checks.length === 0 && table.length > count * 2 + SPARE_NAMES) {
        table = [];
        numbers = new Map();
      }
      count = 0;
      eachValue(snapshot, put);
      checks.push({ at: snapshot.at, series: series.slice(0, count), values: values.slice(0, count) });
    },
    checks: () => checks,
    seriesOf: (number) => table[number]!,
    forgetIds() {
      for (const one of table) delete one.id;
    },
    keepOnly(newest) {
      checks = newest === 0 ? [] : checks.slice(-newest);
    },
  };
}

/**
 * Takes one value of a check. The series is named `kind`, or `kind:subject`; the two come apart, so that no name is put together
 * for each value of each check. The step is the precision: a value is stored as a whole number of steps, which makes it
 * two or three bytes instead of eight. Memory is counted in pages by the kernel, so nothing is lost there.
 */
type Put = (kind: string, step: number, value: number | undefined, subject?: string) => void;

const BYTES = 4096;
const PERCENT = 0.1;
const COUNT = 1;
const SECONDS = 1;
/** SQL metrics of one check that are kept; the rest is exported only. */
const MAX_SQL = 50;

/** Hands out what is kept of a snapshot. A source that was not read has nothing: a gap is a gap, never a zero. */
function eachValue(snapshot: Snapshot, put: Put): void {
  const { readings } = snapshot;
  if (readings.host.state === 'ok') hostSamples(readings.host.value, put);
  if (readings.pressure.state === 'ok') {
    const { score, cpu, io } = readings.pressure.value;
    put('pressure.memory', PERCENT, score);
    put('pressure.cpu', PERCENT, cpu?.some.avg10);
    put('pressure.io', PERCENT, io?.some.avg10);
  }
  if (readings.oom.state === 'ok') put('oom.kills', COUNT, readings.oom.value.killsSinceBoot);
  if (readings.docker.state === 'ok') containerSamples(readings.docker.value.containers, put);
  applicationSamples(readings, put);
  failureSamples(readings, put);
  put('check.ms', COUNT, snapshot.tookMs);
}

function hostSamples(host: HostValues, put: Put): void {
  put('memory.total', BYTES, host.memory.totalBytes);
  put('memory.available', BYTES, host.memory.availableBytes);
  put('memory.used', BYTES, host.memory.usedBytes);
  put('swap.total', BYTES, host.swap.totalBytes);
  put('swap.used', BYTES, host.swap.usedBytes);
  put('swap.in', COUNT, host.swapInKBps);
  put('swap.out', COUNT, host.swapOutKBps);
  put('cpu', PERCENT, host.cpuPercent);
  put('load', 0.01, host.load[0]);
  put('uptime', SECONDS, host.uptimeSec);
  for (const disk of host.disks) {
    put('disk.percent', PERCENT, disk.usedPercent, disk.mount);
    put('disk.available', BYTES, disk.availableBytes, disk.mount);
    put('disk.inodes', PERCENT, disk.inodesUsedPercent, disk.mount);
  }
}

function containerSamples(containers: readonly ContainerInfo[], put: Put): void {
  let running = 0;
  for (const container of containers) {
    if (container.state === 'running') running++;
    put('container.memory', BYTES, container.memory?.workingSetBytes, container.name);
    // What is in swap counts, or a leak would stop growing when it is swapped out.
    put('container.anon', BYTES, container.memory && heldBytes(container.memory), container.name);
    put('container.cpu', PERCENT, container.cpuPercent, container.name);
    // Nearly always zero, and then it is not worth its bytes.
    if (container.restartCount > 0) put('container.restarts', COUNT, container.restartCount, container.name);
  }
  put('containers.running', COUNT, running);
  put('containers.total', COUNT, containers.length);
}

function applicationSamples(readings: Readings, put: Put): void {
  if (readings.postgres.state === 'ok') {
    const postgres = readings.postgres.value;
    put('postgres.cache', PERCENT, postgres.cacheHitPercent);
    put('postgres.active', COUNT, postgres.connections.active);
    put('postgres.connections', COUNT, postgres.connections.total);
    put('postgres.size', BYTES, postgres.databaseSizeBytes);
  }
  if (readings.redis.state === 'ok') {
    put('redis.memory', BYTES, readings.redis.value.usedMemoryBytes);
    put('redis.keys', COUNT, readings.redis.value.keys);
    put('redis.clients', COUNT, readings.redis.value.clients);
  }
  if (readings.n8n.state === 'ok') {
    const { executions, queueDepth, workflows } = readings.n8n.value;
    for (const [status, count] of Object.entries(executions ?? {})) put(`n8n.${status}`, COUNT, count);
    put('n8n.queue', COUNT, queueDepth);
    put('n8n.workflows', COUNT, workflows?.total);
    put('n8n.workflows.active', COUNT, workflows?.active);
  }
  if (readings.waha.state === 'ok') {
    const { sessions } = readings.waha.value;
    put('waha.sessions', COUNT, sessions.length);
    put('waha.working', COUNT, sessions.filter((session) => session.status === 'WORKING').length);
  }
  if (readings.sql.state === 'ok') sqlSamples(readings.sql.value.samples, put);
}

/** One series a metric: the sum over its labels. */
function sqlSamples(samples: readonly { name: string; value: number }[], put: Put): void {
  const sums = new Map<string, number>();
  for (const { name, value } of samples) sums.set(name, (sums.get(name) ?? 0) + value);
  for (const [name, value] of [...sums].slice(0, MAX_SQL)) put('sql', 0.001, value, name);
}

/** `failed:postgres` is 1 in a check that could not read it; it has no value otherwise. */
function failureSamples(readings: Readings, put: Put): void {
  let failed = 0;
  for (const [source, reading] of Object.entries(readings)) {
    if (reading.state !== 'failed') continue;
    failed++;
    put('failed', COUNT, 1, source);
  }
  put('failed', COUNT, failed);
}
