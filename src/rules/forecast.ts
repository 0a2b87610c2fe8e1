import type { Culprit, Forecast, Grower, Growth } from '../model/forecast.ts';
import type { Finding } from '../model/finding.ts';
import { formatBytes, formatCount, formatDuration, formatMoment, plain } from '../model/text.ts';
import type { Rule } from './types.ts';

const HOUR = 3_600_000;

/** What runs out within FORECAST_WARNING_HOURS, and because of whom. What is not announced any more is fine. */
export const forecast: Rule = {
  id: 'forecast',
  // Nothing is followed without it; the other sources of a forecast keep what they had when they fail.
  source: 'host',
  judge: ({ snapshot, past, config }) =>
    past.forecasts.map((one): Finding => {
      const about = {
        rule: 'forecast' as const,
        subject: one.subject,
        ...(one.alias === undefined ? {} : { alias: one.alias }),
      };
      if (!one.growth)
        return {
          ...about,
          severity: 'warning',
          verdict: 'ok',
          text: `${nameOf(one)} does not grow any more`,
        };
      const { growth } = one;
      const { FORECAST_WARNING_HOURS, FORECAST_CRITICAL_HOURS } = config.settings;
      const limit = growth.severity === 'critical' ? FORECAST_CRITICAL_HOURS : FORECAST_WARNING_HOURS;
      return {
        ...about,
        severity: growth.severity,
        verdict: 'breach',
        value: Math.max(0, growth.fullAt - snapshot.at) / 1000,
        limit: limit * 3600,
        unit: 'seconds',
        text: sentence(one, growth, snapshot.at),
        details: [...details(one, growth, snapshot.at), `Advice: ${advice(one)}`],
      };
    }),
};

/** "n8n grows 14 MB/h: the host runs out of memory in about 31 h (Tuesday 03:40)" */
function sentence(one: Forecast, growth: Growth, now: number): string {
  const left = growth.fullAt - now;
  const when =
    left < HOUR / 4 ? 'within minutes' : `in about ${aboutHours(left)} (${formatMoment(growth.fullAt, now)})`;
  const speed = rate(one, growth.perHour);
  switch (one.kind) {
    case 'memory':
      return `${grower(one.culprit, growth)}: the host runs out of memory ${when}`;
    case 'container':
      return `${nameOf(one)} grows ${speed}: it reaches its limit of ${formatBytes(one.capacity)} ${when}`;
    case 'disk':
      return `${nameOf(one)} fills by ${speed}: full ${when}`;
    case 'inodes':
      return `${nameOf(one)} run out: none is left ${when}`;
    case 'connections':
      return `${nameOf(one)} grow by ${speed}: all ${formatCount(one.capacity)} are in use ${when}`;
    case 'redis':
      return `${nameOf(one)} grows ${speed}: it reaches maxmemory (${formatBytes(one.capacity)}) ${when}`;
  }
}

function grower(culprit: Culprit | undefined, growth: Growth): string {
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
      return `Memory and swap fill by ${mb(growth.perHour)}/h`;
  }
}

function details(one: Forecast, growth: Growth, now: number): string[] {
  const { culprit, used, capacity } = one;
  const amount =
    one.kind === 'inodes'
      ? `${used.toFixed(1)} % in use`
      : one.kind === 'connections'
        ? `${formatCount(used)} of ${formatCount(capacity)} in use`
        : `${formatBytes(used)} of ${formatBytes(capacity)} in use`;
  const lines = [
    `${one.kind === 'memory' ? 'Memory and swap: ' : 'Now: '}${amount}, growing ${rate(one, growth.perHour)} since ${formatMoment(growth.since, now)}`,
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
function advice({ kind, subject, culprit }: Forecast): string {
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

function nameOf({ kind, subject }: Forecast): string {
  const name = plain(subject, 80);
  switch (kind) {
    case 'memory':
      return 'Memory and swap';
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

function rate({ kind }: Forecast, perHour: number): string {
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
