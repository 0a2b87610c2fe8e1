/** What `systemctl show` says about one unit; absent values as systemd prints them. */
export type UnitState = {
  name: string;
  /** loaded, not-found, masked, bad-setting, error */
  load: string;
  /** active, inactive, failed, activating, ... */
  active: string;
  sub: string;
  /** enabled, disabled, static, masked, '' */
  enabled: string;
  /** success, exit-code, signal, watchdog, oom-kill, timeout, ... */
  result: string;
  needReload: boolean;
  exitStatus?: number;
  restarts?: number;
  memoryBytes?: number;
  /** Epoch ms. */
  activeSince?: number;
  /** Epoch ms: when its main process ended last. */
  endedAt?: number;
  /** Timers, epoch ms. */
  lastRunAt?: number;
  nextRunAt?: number;
  /** A service without the file system part of its sandbox. */
  noMounts?: true;
};

const PROPERTIES = [
  'Id',
  'LoadState',
  'ActiveState',
  'SubState',
  'UnitFileState',
  'Result',
  'NeedDaemonReload',
  'ExecMainStatus',
  'ExecMainExitTimestamp',
  'ActiveEnterTimestamp',
  'NRestarts',
  'MemoryCurrent',
  'LastTriggerUSec',
  'NextElapseUSecRealtime',
  'NextElapseUSecMonotonic',
  'ProtectSystem',
];

/** One process for all units. LC_ALL=C and TZ=UTC keep the time stamps readable for a program. */
export function showUnitsCommand(units: readonly string[]): string[] {
  return ['systemctl', 'show', '--no-pager', `--property=${PROPERTIES.join(',')}`, ...units];
}
export const SHOW_UNITS_ENV = { LC_ALL: 'C', TZ: 'UTC', SYSTEMD_COLORS: '0' };

/**
 * Parses the answer: a block of `Key=value` lines a unit, an empty line between two. `bootAt` (epoch ms) turns the
 * monotonic times of timers into dates.
 *
 *     Id=vps-monitor.service
 *     ActiveState=active
 *     ActiveEnterTimestamp=Sun 2025-11-23 11:00:05 UTC
 *
 *     Id=vps-auto-recovery.timer
 *     NextElapseUSecMonotonic=5min 30.5s
 */
export function parseUnits(text: string, bootAt: number): UnitState[] {
  return text
    .split(/\n\s*\n/)
    .map((block) => new Map(block.split('\n').map(keyValue)))
    .filter((block) => block.has('Id'))
    .map((block) => toState(block, bootAt));
}

function toState(block: Map<string, string>, bootAt: number): UnitState {
  const get = (key: string) => block.get(key) ?? '';
  const next = parseTimestamp(get('NextElapseUSecRealtime'));
  const monotonic = parseSpan(get('NextElapseUSecMonotonic'));
  const nextRunAt = monotonic !== undefined && monotonic > 0 ? bootAt + monotonic : next;
  return {
    name: get('Id'),
    load: get('LoadState'),
    active: get('ActiveState'),
    sub: get('SubState'),
    enabled: get('UnitFileState'),
    result: get('Result'),
    needReload: get('NeedDaemonReload') === 'yes',
    ...optional('exitStatus', count(get('ExecMainStatus'))),
    ...optional('restarts', count(get('NRestarts'))),
    ...optional('memoryBytes', count(get('MemoryCurrent'))),
    ...optional('activeSince', parseTimestamp(get('ActiveEnterTimestamp'))),
    ...optional('endedAt', parseTimestamp(get('ExecMainExitTimestamp'))),
    ...optional('lastRunAt', parseTimestamp(get('LastTriggerUSec'))),
    ...optional('nextRunAt', nextRunAt),
    ...optional('noMounts', get('ProtectSystem') === 'no' || undefined),
  };
}

function keyValue(line: string): [string, string] {
  const equals = line.indexOf('=');
  return equals < 0 ? [line, ''] : [line.slice(0, equals), line.slice(equals + 1)];
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}

/** Not a number: `[not set]`, or 2^64-1 from old versions. */
function count(text: string): number | undefined {
  if (!/^\d+$/.test(text)) return undefined;
  const value = Number(text);
  return value < 2 ** 60 ? value : undefined;
}

/** `Sun 2025-11-23 11:00:05 UTC`; empty or `n/a`: undefined. */
export function parseTimestamp(text: string): number | undefined {
  const match = /(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})/.exec(text);
  if (!match) return undefined;
  const at = Date.parse(`${match[1]}T${match[2]}Z`);
  return Number.isNaN(at) ? undefined : at;
}

const UNIT_MS: Record<string, number> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
  days: 86_400_000,
  w: 604_800_000,
  week: 604_800_000,
  weeks: 604_800_000,
  month: 2_629_800_000,
  months: 2_629_800_000,
  y: 31_557_600_000,
  year: 31_557_600_000,
  years: 31_557_600_000,
};

/** systemd's time spans, in ms: `1h 5min 30.250s`. `infinity`, empty and anything unknown: undefined. */
export function parseSpan(text: string): number | undefined {
  let total = 0;
  const words = text.trim().split(/\s+/).filter(Boolean);
  if (words.length === 0) return undefined;
  for (const word of words) {
    const match = /^(\d+(?:\.\d+)?)([a-z]+)$/.exec(word);
    const factor = match ? UNIT_MS[match[2] ?? ''] : undefined;
    if (!match || factor === undefined) return undefined;
    total += Number(match[1]) * factor;
  }
  return total;
}
