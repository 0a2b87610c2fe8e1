import { formatMemory, largestFirst } from '../../model/container-memory.ts';
import type {
  ContainerInfo,
  N8nValues,
  PostgresValues,
  RedisValues,
  WahaValues,
} from '../../model/snapshot.ts';
import type { Reading } from '../../model/reading.ts';
import {
  formatBytes,
  formatCount,
  formatUpTo,
  formatDuration,
  plain,
  workflowsText,
} from '../../model/text.ts';
import { period, type ReportData } from './data.ts';
import type { Part } from './host.ts';
import { bytesChange, clockTime, many, oneDecimal } from './text.ts';

export function serviceParts(data: ReportData): Part[] {
  const { docker, postgres, redis, n8n, waha } = data.snapshot.readings;
  return [
    part('Containers', docker, ({ containers }) => containerLines(data, containers)),
    part('Leads', leads(data), (lines) => lines),
    part('n8n', n8n, (values) => n8nLines(data, values)),
    part('WhatsApp', waha, (values) => wahaLines(data, values)),
    part('PostgreSQL', postgres, (values) => postgresLines(data, values)),
    part('Redis', redis, (values) => redisLines(data, values)),
  ];
}

/** A source that failed has its reason; one that is not on this server is left out. */
function part<T>(title: string, reading: Reading<T>, lines: (value: T) => Part['lines']): Part {
  if (reading.state === 'ok') return { title, lines: lines(reading.value) };
  const why = plain(reading.why);
  if (reading.state === 'failed') return { title, lines: [`could not be read: ${why}`] };
  return { title, lines: [`not here: ${why}`], missing: true };
}

function containerLines(data: ReportData, containers: ContainerInfo[]): Part['lines'] {
  if (containers.length === 0) return ['none'];
  const running = containers.filter(({ state }) => state === 'running');
  const lines: Part['lines'] = [`${running.length} of ${containers.length} running`];
  const down = containers.filter(({ state }) => state !== 'running' && state !== 'created');
  if (down.length > 0) lines.push(`Not running: ${names(down.map(({ name }) => name))}`);
  const unhealthy = containers.filter(({ health }) => health === 'unhealthy');
  if (unhealthy.length > 0) lines.push(`Unhealthy: ${names(unhealthy.map(({ name }) => name))}`);
  const largest = largestFirst(running).slice(0, 3);
  if (largest.length > 0) lines.push('Largest:');
  for (const { name, memory, limitBytes } of largest) {
    const limit = limitBytes ? ` of ${formatBytes(limitBytes)}` : '';
    const peak = data.day[`container.memory:${name}`];
    const most = peak && peak.peak > memory.workingSetBytes * 1.1 ? `, peak ${formatBytes(peak.peak)}` : '';
    lines.push(`• ${plain(name, 40)} ${formatMemory(memory)}${limit}${most}`);
  }
  const growing = data.growers.filter(({ bytesPerHour }) => bytesPerHour >= 1_048_576).slice(0, 3);
  if (growing.length > 0) lines.push('Growing:');
  for (const { name, bytesPerHour } of growing)
    lines.push(`• ${plain(name, 40)} ${formatBytes(bytesPerHour)} an hour`);
  if (growing.length === 0) lines.push('None grows by 1 MB an hour or more');
  lines.push(
    data.restarts.length === 0
      ? 'No restarts'
      : `Restarts: ${data.restarts
          .slice(0, 5)
          .map(({ name, count }) => `${plain(name, 40)} ${formatCount(count)}`)
          .join(', ')}${data.restarts.length > 5 ? ` and ${data.restarts.length - 5} more` : ''}`,
  );
  return lines;
}

/** The first five, and how many more. */
function names(all: string[]): string {
  const shown = all.slice(0, 5).map((name) => plain(name, 40));
  return all.length > 5 ? `${shown.join(', ')} and ${all.length - 5} more` : shown.join(', ');
}

function leads(data: ReportData): Reading<Part['lines']> {
  const { sql } = data.snapshot.readings;
  if (sql.state !== 'ok') return sql;
  const samples = sql.value.samples.filter(({ name }) => name === 'lead_count');
  const broken = sql.value.broken.find(({ name }) => name === 'lead_count');
  if (broken) return { state: 'failed', why: broken.why, tookMs: 0 };
  if (samples.length === 0) return { state: 'absent', why: 'no table with "lead" in its name' };
  const now = samples.reduce((sum, { value }) => sum + value, 0);
  const day = data.day['sql:lead_count'];
  const lines: Part['lines'] = [
    `${formatCount(now)}${day ? `, ${signed(now - day.first)} ${period(data)}` : ''}`,
  ];
  const before = data.before['sql:lead_count'];
  if (before) lines.push(`Day before: ${signed(before.last - before.first)}`);
  return { state: 'ok', value: lines, tookMs: 0 };
}

function n8nLines(data: ReportData, n8n: N8nValues): Part['lines'] {
  const lines: string[] = [];
  const { workflows, executions, queueDepth, countedUpTo } = n8n;
  const upTo = (count: number) => formatUpTo(count, countedUpTo);
  if (workflows) lines.push(workflowsText(workflows));
  if (executions) {
    lines.push(
      `${upTo(executions.completed)} executions completed, ${upTo(executions.failed)} failed in ${data.finishedWithinHours} h`,
    );
    const before = [data.before['n8n.completed'], data.before['n8n.failed']] as const;
    if (before[0] && before[1])
      lines.push(
        `Day before: ${formatCount(before[0].last)} completed, ${formatCount(before[1].last)} failed`,
      );
    lines.push(
      `Now ${upTo(executions.active)} running, ${upTo(executions.waiting)} waiting${executions.queued === undefined ? '' : `, ${formatCount(executions.queued)} queued`}`,
    );
  }
  const queue = data.day['n8n.queue'];
  if (queueDepth !== undefined)
    lines.push(
      `Queue ${formatCount(queueDepth)}${queue ? `, peak ${formatCount(queue.peak)} at ${clockTime(queue.peakAt)}` : ''}`,
    );
  if (n8n.healthy === false) lines.push('It says that it is not healthy');
  for (const problem of n8n.problems ?? []) lines.push(plain(problem));
  const [first, ...rest] = lines;
  return [first ?? 'it is here, but neither its database nor its API could be read', ...rest];
}

function wahaLines(data: ReportData, { sessions }: WahaValues): Part['lines'] {
  if (sessions.length === 0) return ['no session'];
  const working = sessions.filter(({ status }) => status === 'WORKING');
  const lines: Part['lines'] = [`${working.length} of ${many(sessions.length, 'session')} connected`];
  for (const session of sessions.filter(({ status }) => status !== 'WORKING').slice(0, 5)) {
    const since = formatDuration(Math.max(0, data.at - session.since));
    lines.push(`• ${plain(session.name, 40)} ${statusText(session.status)} (for ${since})`);
  }
  return lines;
}

function statusText(status: string): string {
  if (status === 'SCAN_QR_CODE') return 'needs its QR code scanned';
  if (status.startsWith('PASSKEY_')) return 'needs a passkey confirmed';
  return `is ${plain(status, 40)}`;
}

function postgresLines(data: ReportData, postgres: PostgresValues): Part['lines'] {
  const day = data.day['postgres.cache'];
  const connections = data.day['postgres.connections'];
  const peak = connections ? `, peak ${formatCount(connections.peak)}` : '';
  const lines: Part['lines'] = [
    `${formatCount(postgres.connections.total)} of ${formatCount(postgres.connections.max)} connections${peak}`,
  ];
  const lifetime = postgres.cacheHitLifetimePercent;
  if (day)
    lines.push(
      `Cache hits ${oneDecimal(day.avg)} %, lowest ${oneDecimal(day.min)} % at ${clockTime(day.minAt)}`,
    );
  else if (lifetime !== undefined)
    lines.push(`Cache hits ${oneDecimal(lifetime)} % since its statistics began`);
  const size = data.day['postgres.size'];
  const change = size ? `, ${bytesChange(postgres.databaseSizeBytes - size.first)} ${period(data)}` : '';
  lines.push(`Database ${formatBytes(postgres.databaseSizeBytes)}${change}`);
  return lines;
}

function redisLines(data: ReportData, redis: RedisValues): Part['lines'] {
  const limit = redis.maxMemoryBytes === null ? '' : ` of ${formatBytes(redis.maxMemoryBytes)}`;
  const day = data.day['redis.memory'];
  const lines: Part['lines'] = [
    `${formatBytes(redis.usedMemoryBytes)}${limit}${day ? `, peak ${formatBytes(day.peak)} at ${clockTime(day.peakAt)}` : ''}`,
    `${many(redis.keys, 'key')}, ${many(redis.clients, 'client')}`,
  ];
  if (redis.evictedTotal > 0) lines.push(`${many(redis.evictedTotal, 'key')} evicted since it was started`);
  if (redis.rejectedTotal > 0)
    lines.push(`${many(redis.rejectedTotal, 'connection')} rejected since it was started`);
  return lines;
}

function signed(difference: number): string {
  const rounded = Math.round(difference);
  return rounded === 0 ? 'unchanged' : `${rounded > 0 ? '+' : '-'}${formatCount(Math.abs(rounded))}`;
}
