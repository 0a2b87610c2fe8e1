import type { FlightContainer, FlightSample, Recording } from '../model/recording.ts';
import { formatBytes, formatCount, formatDuration, plain } from '../model/text.ts';
import { isAsked } from '../model/fact-rules.ts';
import type { Incident, IncidentChange } from '../model/incident.ts';

const MB = 1_048_576;
/** Less than this in ten minutes is what every program does, and what every server does with its memory (share of it). */
const GROWTH_WORTH_NAMING = 5 * MB;
const FALL_WORTH_NAMING = 0.02;
const NAMED = 3;
/** In less than this, nobody knows what grows and what does not. */
const SHORTEST_MS = 30_000;

/**
 * The minutes before something in three plain lines: who held how much, what grew, and how much waited. None where
 * nothing was recorded. `subject`: a container that is named first.
 */
export function essenceOf({ samples, memoryTotalBytes }: Recording, subject: string): string[] {
  const minute = lastMinute(samples);
  const worst = minute.reduceRight<FlightSample | undefined>(
    (least, one) => (least && leastOf(least) <= leastOf(one) ? least : one),
    undefined,
  );
  if (!worst) return [];
  const until = samples.slice(0, samples.indexOf(worst) + 1);
  // Just after a start there is nothing to compare with.
  const long = worst.at - (until[0]?.at ?? worst.at) >= SHORTEST_MS;
  const held = heldLine(until, worst, memoryTotalBytes, subject);
  return [held, ...(long ? [grewLine(until, worst, memoryTotalBytes)] : []), pressureLine(minute)];
}

/** What is worst in here counts, and not the last sample: a kill frees memory at once, and the averages fall. */
function lastMinute(samples: readonly FlightSample[]): readonly FlightSample[] {
  const end = samples.at(-1)?.at ?? 0;
  return samples.filter(({ at }) => at >= end - 60_000);
}

function leastOf({ availableBytes = Number.POSITIVE_INFINITY, swapUsedBytes = 0 }: FlightSample): number {
  return availableBytes - swapUsedBytes;
}

/** A container that died is in no sample any more: its last one counts. */
function lastOf(samples: readonly FlightSample[], name: string): FlightContainer | undefined {
  for (const { containers } of samples.toReversed()) {
    const found = containers.find((container) => container.name === name);
    if (found) return found;
  }
  return undefined;
}

function heldLine(
  samples: readonly FlightSample[],
  last: FlightSample,
  totalBytes: number,
  subject: string,
): string {
  const own = lastOf(samples, subject);
  const others = last.containers.filter(({ name }) => name !== subject);
  const named = [...(own ? [own] : []), ...others].slice(0, NAMED).map(holds);
  const free =
    last.availableBytes === undefined
      ? ''
      : `${formatBytes(last.availableBytes)}${totalBytes > 0 ? ` of ${formatBytes(totalBytes)}` : ''} were available`;
  return `Before: ${[named.join(', '), free].filter(Boolean).join('; ') || 'nothing could be read'}`;
}

/** "scraper 479 MB + 468 MB swap" */
function holds({ name, heldBytes, swapBytes }: FlightContainer): string {
  const memory = formatBytes(Math.max(0, heldBytes - swapBytes));
  const swap = swapBytes < MB ? '' : ` + ${formatBytes(swapBytes)} swap`;
  return `${plain(name, 60)} ${memory}${swap}`;
}

export type Grown = { name: string; bytes: number; since: number };

/**
 * By how many bytes each container grew between its smallest and its last sample, most first, and when it was smallest (epoch ms).
 * Shrinking ones are left out.
 */
export function growthWithin(samples: readonly FlightSample[]): Grown[] {
  const least = new Map<string, { bytes: number; at: number }>();
  const last = new Map<string, number>();
  for (const { at, containers } of samples) {
    for (const { name, heldBytes } of containers) {
      const before = least.get(name);
      if (!before || heldBytes <= before.bytes) least.set(name, { bytes: heldBytes, at });
      last.set(name, heldBytes);
    }
  }
  return [...last]
    .map(([name, bytes]) => ({ name, bytes: bytes - least.get(name)!.bytes, since: least.get(name)!.at }))
    .filter(({ bytes }) => bytes > 0)
    .toSorted((a, b) => b.bytes - a.bytes);
}

function grewLine(samples: readonly FlightSample[], last: FlightSample, totalBytes: number): string {
  const first = samples[0]!;
  const within = `In the ${formatDuration(last.at - first.at)} before`;
  const grown = growthWithin(samples)
    .filter(({ bytes }) => bytes >= GROWTH_WORTH_NAMING)
    .slice(0, NAMED)
    .map(({ name, bytes }) => `${plain(name, 60)} grew by ${formatBytes(bytes)}`);
  const swap = (last.swapUsedBytes ?? 0) - (first.swapUsedBytes ?? 0);
  if (swap >= GROWTH_WORTH_NAMING) grown.push(`swap use by ${formatBytes(swap)}`);
  const fell = (first.availableBytes ?? 0) - (last.availableBytes ?? 0);
  if (grown.length === 0 && fell >= Math.max(GROWTH_WORTH_NAMING, FALL_WORTH_NAMING * totalBytes))
    return `${within} available memory fell by ${formatBytes(fell)}, and no container grew by it`;
  return grown.length === 0 ? `${within} nothing grew` : `${within} ${grown.join(', ')}`;
}

function pressureLine(minute: readonly FlightSample[]): string {
  const most = (key: 'memorySome' | 'cpuSome' | 'ioSome' | 'swapInKBps' | 'load') => {
    const values = minute.flatMap((sample) => sample[key] ?? []);
    return values.length === 0 ? undefined : Math.max(...values);
  };
  const waits = [
    ['memory', most('memorySome')],
    ['disk', most('ioSome')],
    ['CPU', most('cpuSome')],
  ].flatMap(([name, value]) => (value === undefined ? [] : `${name} ${Math.round(value as number)} %`));
  const swapIn = most('swapInKBps');
  const load = most('load');
  const parts = [
    waits.length === 0 ? 'not known here' : waits.join(', '),
    ...(swapIn !== undefined && swapIn >= 1 ? [`swap-in ${formatCount(swapIn)} KB/s`] : []),
    ...(load === undefined ? [] : [`load ${load.toFixed(1)}`]),
  ];
  return `Waiting for (last minute): ${parts.join('; ')}`;
}

/** The whole server is short of memory: recorded when critical. */
const SHORT_OF_MEMORY = new Set(['memory-available', 'memory-pressure', 'swap-used', 'swap-in']);

/**
 * Whether the minutes before are kept with this incident: a kill for want of memory, a critical lack of memory, a container
 * that ended without being asked to, and a server that went down.
 */
export function isRecorded({ rule, severity, fact }: Pick<Incident, 'rule' | 'severity' | 'fact'>): boolean {
  if (rule === 'oom-kill' || rule === 'unclean-reboot' || rule === 'container-restarting') return true;
  // One that ends by itself is a warning, like one that was stopped on request.
  if (rule === 'container-stopped' && fact?.kind === 'stopped') return fact.over !== 'job' && !isAsked(fact);
  return severity === 'critical' && (SHORT_OF_MEMORY.has(rule) || rule === 'container-stopped');
}

/** Whether it is about one moment, when it began, and not of a state that may have got worse since. */
export function isMoment({ rule }: Pick<Incident, 'rule'>): boolean {
  return !SHORT_OF_MEMORY.has(rule);
}

/** The incidents of these changes that have just reached the point at which they are recorded. */
export function toRecord(changes: readonly IncidentChange[]): Incident[] {
  return changes
    .filter(
      ({ kind, incident }) => incident.id > 0 && /^(fired|worse|event)$/.test(kind) && isRecorded(incident),
    )
    .map(({ incident }) => incident);
}
