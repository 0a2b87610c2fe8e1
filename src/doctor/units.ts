import type { UnitState } from '../system/unit-states.ts';
import { formatBytes, formatDuration, formatTime } from '../model/text.ts';
import { failed, ok, warning, type Line } from './types.ts';

const STARTED_MS = 5000;
const MONITOR = 'vps-monitor.service';
const JOBS = ['vps-auto-recovery', 'vps-daily-report', 'vps-metrics-exporter'] as const;

/** One line for the monitor and one for each timer with its job. Pure. */
export function judgeUnits(units: readonly UnitState[], now: number): Line[] {
  const find = (name: string) => units.find((unit) => unit.name === name);
  const monitor = find(MONITOR);
  if (!monitor || units.every((unit) => unit.load === 'not-found')) {
    return [warning('units', 'vpsmon is not installed as a service', 'sudo vpsmon install')];
  }
  return [
    judgeMonitor(monitor, now),
    ...JOBS.map((job) => judgeJob(job, find(`${job}.timer`), find(`${job}.service`), now)),
  ];
}

function judgeMonitor(unit: UnitState, now: number): Line {
  const broken = judgeFile(unit, MONITOR);
  if (broken) return broken;
  const log = `journalctl -u ${MONITOR} -n 30`;
  const how = unit.result === 'success' || unit.result === '' ? '' : `, last end: ${resultText(unit)}`;
  if (unit.active === 'activating' && unit.sub === 'auto-restart')
    return failed(MONITOR, `ends again and again, ${count(unit.restarts ?? 0, 'restart')} so far${how}`, log);
  if (unit.active === 'activating') return warning(MONITOR, 'is starting', 'look again in a minute');
  if (unit.active !== 'active')
    return failed(
      MONITOR,
      `does not run (${unit.active}${how})`,
      `systemctl enable --now ${MONITOR}; ${log}`,
    );
  if (unit.needReload)
    return warning(
      MONITOR,
      'runs, but its unit file was changed since',
      'systemctl daemon-reload && systemctl restart vps-monitor',
    );
  if (unit.enabled !== 'enabled')
    return warning(MONITOR, 'runs, but is not started after a reboot', `systemctl enable ${MONITOR}`);
  const facts = [
    unit.activeSince === undefined ? 'runs' : `runs for ${formatDuration(now - unit.activeSince)}`,
    unit.memoryBytes === undefined ? '' : formatBytes(unit.memoryBytes),
    unit.restarts ? `${count(unit.restarts, 'restart')} by systemd` : '',
    unit.noMounts ? 'without the file system part of its sandbox' : '',
  ];
  return ok(MONITOR, facts.filter(Boolean).join(', '));
}

function judgeJob(
  job: string,
  timer: UnitState | undefined,
  service: UnitState | undefined,
  now: number,
): Line {
  const name = `${job}.timer`;
  const broken = judgeFile(timer, name) ?? judgeFile(service, `${job}.service`);
  if (broken) return { ...broken, name };
  if (!timer || !service) return failed(name, 'is not there', 'sudo vpsmon install');
  const last = lastRunText(service, timer, now);
  if (timer.active !== 'active')
    return failed(
      name,
      `is stopped (${timer.active}): ${job}.service is not run`,
      `systemctl enable --now ${name}`,
    );
  if (timer.enabled !== 'enabled')
    return warning(name, 'is not started after a reboot', `systemctl enable ${name}`);
  if (service.active === 'failed' || !['success', ''].includes(service.result))
    return failed(
      name,
      `the last run failed (${resultText(service)})${service.endedAt ? `, ${ago(service.endedAt, now)}` : ''}`,
      `journalctl -u ${job}.service -n 30`,
    );
  return ok(name, [last, nextRunText(timer, now)].filter(Boolean).join('; '));
}

/** A unit file that is missing, masked or that systemd does not understand. */
function judgeFile(unit: UnitState | undefined, name: string): Line | undefined {
  if (!unit || unit.load === 'not-found') return failed(name, 'is not there', 'sudo vpsmon install');
  if (unit.load === 'masked')
    return failed(name, 'is masked: systemd may not start it', `systemctl unmask ${name}`);
  if (unit.load !== 'loaded')
    return failed(
      name,
      `cannot be loaded (${unit.load})`,
      `systemd-analyze verify ${name}; sudo vpsmon install writes it anew`,
    );
  return undefined;
}

function lastRunText(service: UnitState, timer: UnitState, now: number): string {
  if (service.active === 'activating') return 'runs just now';
  if (service.endedAt !== undefined) return `last run ${ago(service.endedAt, now)}: fine`;
  const at = timer.lastRunAt;
  // A persistent timer that is started for the first time counts that moment as its last run.
  const onlyStarted = at !== undefined && Math.abs(at - (timer.activeSince ?? at)) < STARTED_MS;
  // Its job ran before the last boot: systemd knows when, and not how it ended.
  return at === undefined || onlyStarted ? 'never ran yet' : `last run ${ago(at, now)}`;
}

function nextRunText(timer: UnitState, now: number): string {
  if (timer.nextRunAt === undefined) return '';
  const left = timer.nextRunAt - now;
  if (left <= 0) return 'next run now';
  const clock = left > 3_600_000 ? ` (${formatTime(timer.nextRunAt).slice(0, 16)})` : '';
  return `next in ${formatDuration(left)}${clock}`;
}

const RESULTS: Record<string, string> = {
  watchdog: 'it hung, and the watchdog ended it',
  'oom-kill': 'it was killed because memory ran out',
  timeout: 'it took too long',
  'core-dump': 'it crashed',
};

function resultText(unit: UnitState): string {
  const known = RESULTS[unit.result];
  if (known) return known;
  const status = unit.exitStatus ?? 0;
  if (unit.result === 'signal') return `ended by signal ${status}`;
  // systemd's own: it could not set up the unit's file systems (unprivileged LXC without nesting).
  if (unit.result === 'exit-code' && status === 226)
    return 'systemd may not make its sandbox here (226/NAMESPACE): install again, and it goes without; for an LXC guest, switch on nesting on the physical host';
  if (unit.result === 'exit-code')
    return `exit code ${status}${status === 3 ? ': configuration or usage' : ''}`;
  return unit.result;
}

function ago(at: number, now: number): string {
  return `${formatDuration(Math.max(0, now - at))} ago`;
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
