import { SEVERITIES, type Severity } from '../../model/finding.ts';
import { metric, type Metric } from '../../model/sources/source.ts';
import { LEFT_OFF_KINDS, type LeftOff } from '../../model/left-off.ts';
import { SOURCE_IDS, type Snapshot } from '../../model/sources.ts';
import type { Incident } from '../../model/incident.ts';

type Daemon = NonNullable<MetricsInput['daemon']>;

const self = metric<MetricsInput>;

function daemon(
  name: string,
  help: string,
  value: (daemon: Daemon) => number | boolean,
): Metric<MetricsInput> {
  return self(name, help, (input) => input.daemon && value(input.daemon));
}

export const SELF_METRICS: readonly Metric<MetricsInput>[] = [
  self(
    'alerts_total',
    'Alerts that vpsmon has raised, by severity.',
    ({ counts }) =>
      SEVERITIES.toReversed().map((severity) => ({ value: counts[severity], labels: { severity } })),
    ['severity'],
  ),
  self(
    'vpsmon_incidents_open',
    'Incidents that are open now, by severity.',
    ({ openIncidents }) =>
      SEVERITIES.toReversed().map((severity) => ({
        value: openIncidents.filter((incident) => incident.severity === severity).length,
        labels: { severity },
      })),
    ['severity'],
  ),
  self(
    'vpsmon_incident_open',
    '1 for every incident that is open now.',
    ({ openIncidents }) =>
      openIncidents.map(({ rule, subject, severity }) => ({ value: 1, labels: { rule, subject, severity } })),
    ['rule', 'subject', 'severity'],
  ),
  self(
    'vpsmon_recovery_left_off',
    'What recovery has switched off or changed, and not brought back yet: workflows, containers, memory limits.',
    ({ leftOff }) =>
      leftOff === undefined
        ? []
        : LEFT_OFF_KINDS.map((kind) => ({
            value: leftOff.filter((one) => one.kind === kind).length,
            labels: { kind },
          })),
    ['kind'],
  ),
  self(
    'vpsmon_source_up',
    '1 where a source could be read, 0 where it is there and could not be; none where it is not here.',
    ({ snapshot }) =>
      SOURCE_IDS.flatMap((source) => {
        const state = snapshot?.readings[source].state;
        if (state !== 'ok' && state !== 'failed') return [];
        return [{ value: state === 'ok', labels: { source } }];
      }),
    ['source'],
  ),
  self(
    'vpsmon_source_read_seconds',
    'How long it took to read a source in the last check, in seconds.',
    ({ snapshot }) =>
      SOURCE_IDS.flatMap((source) => {
        const reading = snapshot?.readings[source];
        if (!reading || !('tookMs' in reading)) return [];
        return [{ value: seconds(reading.tookMs), labels: { source } }];
      }),
    ['source'],
  ),
  self(
    'vpsmon_last_check_timestamp_seconds',
    'When the last check was made, in seconds since 1970.',
    ({ snapshot }) => snapshot && snapshot.at / 1000,
  ),
  self(
    'vpsmon_last_check_duration_seconds',
    'How long the last check took, in seconds.',
    ({ snapshot }) => snapshot && seconds(snapshot.tookMs),
  ),
  self(
    'vpsmon_build_info',
    'Always 1; the version is a label.',
    ({ version }) => [{ value: 1, labels: { version } }],
    ['version'],
  ),
  daemon(
    'vpsmon_check_interval_seconds',
    'How often the monitor checks, in seconds: a last check that is older than three times this is stale.',
    ({ checkIntervalSec }) => checkIntervalSec,
  ),
  daemon('vpsmon_checks_total', 'Checks since the monitor was started.', ({ checks }) => checks),
  daemon(
    'vpsmon_monitor_uptime_seconds',
    'Time since the monitor was started, in seconds.',
    ({ uptimeSec }) => Math.round(uptimeSec),
  ),
  daemon(
    'vpsmon_process_resident_memory_bytes',
    'Resident memory of the monitor, in bytes.',
    ({ residentBytes }) => residentBytes,
  ),
  daemon('vpsmon_process_cpu_seconds_total', 'CPU time of the monitor, in seconds.', ({ cpuSec }) => cpuSec),
  daemon(
    'vpsmon_messages_waiting',
    'Messages that wait to be sent to Telegram.',
    ({ alertsWaiting }) => alertsWaiting,
  ),
  daemon(
    'vpsmon_messages_sent_total',
    'Messages that Telegram has accepted.',
    ({ alertsSent }) => alertsSent,
  ),
  daemon(
    'vpsmon_telegram_refused',
    '1 while Telegram refuses the messages, else 0.',
    ({ telegramRefused }) => telegramRefused,
  ),
  daemon(
    'vpsmon_docker_events_up',
    "1 while Docker's events are followed, else 0.",
    ({ dockerConnected }) => dockerConnected,
  ),
];

/** Milliseconds as seconds, rounded to microseconds. */
function seconds(ms: number): number {
  return Number((ms / 1000).toFixed(6));
}

/** What /metrics and `export` are made of. */
export type MetricsInput = {
  /** The last check; absent before the first one. */
  snapshot?: Snapshot;
  version: string;
  /** Alerts raised so far by severity, from the store: they survive restarts. */
  counts: Record<Severity, number>;
  openIncidents: readonly Incident[];
  /** What recovery has switched off and not brought back; absent where its records cannot be read. */
  leftOff?: readonly LeftOff[];
  /** Only where a running monitor answers. */
  daemon?: {
    checkIntervalSec: number;
    checks: number;
    uptimeSec: number;
    residentBytes: number;
    cpuSec: number;
    alertsWaiting: number;
    alertsSent: number;
    telegramRefused: boolean;
    dockerConnected: boolean;
  };
};
