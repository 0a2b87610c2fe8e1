import type { Culprit, Forecast, Grower, Growth } from './forecast.ts';
import { formatBytes, formatCount, formatDuration, formatMoment, plain } from './text.ts';

const HOUR = 3_600_000;
const ALIKE = 1.3;

/** "n8n grows 14 MB/h: the host runs out of memory in about 31 h (Tuesday 03:40)" */
export function forecastSentence(one: Forecast, growth: Growth, now: number): string {
  const left = growth.fullAt - now;
  const when =
    left < HOUR / 4 ? 'within minutes' : `in about ${aboutHours(left)} (${formatMoment(growth.fullAt, now)})`;
  const speed = forecastRate(one, growth.perHour);
  switch (one.kind) {
    case 'memory':
      return `${grower(one, growth)}${inAll(one.culprit, growth)}: the host runs out of memory ${when}`;
    case 'container':
      return `${forecastName(one)} grows ${speed}: it reaches its limit of ${containerLimit(one)} ${when}`;
    case 'disk':
      return `${forecastName(one)} fills by ${speed}: full ${when}`;
    case 'inodes':
      return `${forecastName(one)} run out: none is left ${when}`;
    case 'connections':
      return `${forecastName(one)} grow by ${speed}: all ${formatCount(one.capacity)} are in use ${when}`;
    case 'redis':
      return `${forecastName(one)} grows ${speed}: it reaches maxmemory (${formatBytes(one.capacity)}) ${when}`;
  }
}

function containerLimit({ capacity, swapBytes = 0 }: Forecast): string {
  if (swapBytes === 0) return formatBytes(capacity);
  return `${formatBytes(capacity - swapBytes)} (and ${formatBytes(swapBytes)} of swap)`;
}

function grower(one: Forecast, growth: Growth): string {
  const { culprit } = one;
  switch (culprit?.kind) {
    case 'container': {
      const names = [culprit, ...culprit.others].map(
        ({ name, perHour }) => `${plain(name, 60)} grows ${mb(perHour)}/h`,
      );
      return names.join(', ');
    }
    case 'many':
      return `${culprit.count} containers grow ${mb(culprit.perHour)}/h together`;
    case 'outside':
      return `Processes outside of containers grow ${mb(culprit.perHour)}/h`;
    case undefined:
      return `${forecastName(one)} ${one.withoutSwap ? 'fills' : 'fill'} by ${mb(growth.perHour)}/h`;
  }
}

/** How fast the host fills, where that is not about as fast as those grow that are named. */
function inAll(culprit: Culprit | undefined, growth: Growth): string {
  if (!culprit) return '';
  const others = culprit.kind === 'container' ? culprit.others : [];
  const named = others.reduce((sum, { perHour }) => sum + perHour, culprit.perHour);
  const isAbout = growth.perHour < ALIKE * named && named < ALIKE * growth.perHour;
  return isAbout ? '' : `, the host ${mb(growth.perHour)}/h in all`;
}

/** Plain lines below the sentence: how much is in use, who grows since when, and with which start it began. */
export function forecastDetails(one: Forecast, growth: Growth, now: number): string[] {
  const { culprit, used, capacity } = one;
  const amount =
    one.kind === 'inodes'
      ? `${used.toFixed(1)} % in use`
      : one.kind === 'connections'
        ? `${formatCount(used)} of ${formatCount(capacity)} in use`
        : `${formatBytes(used)} of ${formatBytes(capacity)} in use`;
  const lines = [
    `${one.kind === 'memory' ? forecastName(one) : 'Now'}: ${amount}, growing ${forecastRate(one, growth.perHour)} since ${formatMoment(growth.since, now)}`,
  ];
  switch (culprit?.kind) {
    case 'container': {
      const limit = culprit.limitBytes === null ? 'no limit' : `limit ${formatBytes(culprit.limitBytes)}`;
      lines.push(
        `${plain(culprit.name, 60)}: ${formatBytes(culprit.bytes)} (${limit}), growing since ${formatMoment(culprit.since, now)}`,
      );
      if (culprit.startedAt !== undefined)
        lines.push(
          `Its growth began when it was started with ${plain(culprit.image, 80)}, ${formatMoment(culprit.startedAt, now)}`,
        );
      if (culprit.others.length > 0) lines.push(`Also growing: ${growers(culprit.others)}`);
      break;
    }
    case 'many':
      lines.push(`Most of it: ${growers(culprit.largest)}`);
      break;
    case 'outside':
      if (culprit.processes.length > 0)
        lines.push(
          `Largest processes: ${culprit.processes.map(({ name, bytes }) => `${plain(name, 40)} ${formatBytes(bytes)}`).join(', ')}`,
        );
      break;
    case undefined:
      break;
  }
  return lines;
}

function growers(all: readonly Grower[]): string {
  return all.map(({ name, perHour }) => `${plain(name, 40)} ${mb(perHour)}/h`).join(', ');
}

/** What the owner can do, from the phone if need be. */
export function forecastAdvice({ kind, subject, culprit }: Forecast): string {
  const name = plain(subject, 60);
  switch (kind) {
    case 'memory':
      return adviceForMemory(culprit);
    case 'container':
      return `restart ${name} at a quiet hour before then, or raise its limit; it is killed when it reaches it`;
    case 'disk':
      return `find what grows below ${name} (du -xhd2 ${name} | sort -h), or make room: docker system prune, old logs and backups`;
    case 'inodes':
      return `find the many small files below ${name} (du --inodes -xd2 ${name} | sort -n) and remove them`;
    case 'connections':
      return 'find who does not give connections back (SELECT application_name, state, count(*) FROM pg_stat_activity GROUP BY 1, 2), and restart it';
    case 'redis':
      return 'find the keys that grow (redis-cli --bigkeys) and give them an expiry, or raise maxmemory';
  }
}

function adviceForMemory(culprit: Culprit | undefined): string {
  switch (culprit?.kind) {
    case 'container': {
      const name = plain(culprit.name, 60);
      const begin =
        culprit.startedAt === undefined
          ? `restart ${name} at a quiet hour before then`
          : `go back to the version of ${name} from before, or restart it at a quiet hour`;
      return culprit.limitBytes === null
        ? `${begin}; with a memory limit it could not take the whole host with it`
        : begin;
    }
    case 'many':
      return 'restart the largest ones at a quiet hour, or give the host more memory: there is no single culprit';
    case 'outside':
      return 'restart the service of the process that grows: no container is the cause';
    case undefined:
      return 'see who holds the memory (vpsmon report), and restart what grows at a quiet hour';
  }
}

/** What it is about, as a sentence begins with it. */
export function forecastName({ kind, subject, withoutSwap }: Forecast): string {
  const name = plain(subject, 80);
  switch (kind) {
    case 'memory':
      return withoutSwap ? 'Memory' : 'Memory and swap';
    case 'container':
      return name;
    case 'disk':
      return `Disk ${name}`;
    case 'inodes':
      return `The inodes of disk ${name}`;
    case 'connections':
      return 'PostgreSQL connections';
    case 'redis':
      return 'Redis';
  }
}

/** "14 MB/h"; inodes in percent, connections as a count. */
export function forecastRate({ kind }: Forecast, perHour: number): string {
  if (kind === 'inodes') return `${perHour.toFixed(1)} % an hour`;
  if (kind === 'connections') return `${perHour < 10 ? perHour.toFixed(1) : Math.round(perHour)} an hour`;
  return `${mb(perHour)}/h`;
}

const mb = formatBytes;

/** Hours as they are told of what is uncertain: "45 min", "5 h", "31 h", "3 days". */
function aboutHours(ms: number): string {
  if (ms < 1.5 * HOUR) return formatDuration(Math.max(1, Math.round(ms / 900_000)) * 900_000);
  return `${Math.round(ms / HOUR)} h`;
}
