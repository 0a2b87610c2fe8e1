// What the container monitor reports about itself, as data: its start, its end, the periodic status.
import type { ChangePolicy } from './change.ts';
import type { Death } from './container-fact.ts';
import type { RuleId } from './rules.ts';
import type { ContainerHealth, ContainerState } from './snapshot.ts';

/** One line of the status report. */
export type ServiceStatus = {
  name: string;
  /** missing: named in MONITORED_SERVICES, but there is no such container. */
  state: ContainerState | 'missing';
  health: ContainerHealth;
  restartCount: number;
  containerId?: string;
};

export type ServiceCounts = {
  monitored: number;
  running: number;
  stopped: number;
  restarting: number;
  unhealthy: number;
};

/** What is not well at the first look, or changed since the last look of the monitor before. `critical`: down, and nobody asked for it. */
export type StartLine = { name: string; service?: string; critical?: true } & (
  | { kind: 'stopped'; how: 'ended'; death: Death; redeployed: boolean }
  | { kind: 'stopped'; how: 'not-back'; policy: string }
  | { kind: 'stopped'; how: 'successor-not-started' }
  | { kind: 'stopped'; how: 'unstarted'; death: Death }
  | { kind: 'stopped'; how: 'found'; exitCode: number }
  | { kind: 'stopped'; how: 'paused' }
  /** resumed: it was paused, and nobody knows until when. */
  | { kind: 'up'; downMs?: number; resumed?: true }
  | { kind: 'restarted'; byPolicy: number; death?: Death }
  | { kind: 'restarting'; restarts: number; exitCode: number }
  | { kind: 'renamed'; was: string }
  | { kind: 'missing'; created?: true }
  | { kind: 'redeployed' | 'unhealthy' | 'healthy' | 'removed' | 'new' }
);

/** How a line of the start message is silenced and muted. */
export const START_LINES: Record<
  StartLine['kind'],
  { rule?: RuleId; mutes: readonly ChangePolicy['mute'][] }
> = {
  stopped: { rule: 'container-stopped', mutes: ['stopped'] },
  up: { rule: 'container-stopped', mutes: ['restored', 'stopped'] },
  restarted: { rule: 'container-restarting', mutes: ['restarting'] },
  restarting: { rule: 'container-malfunction', mutes: ['restarting'] },
  redeployed: { rule: 'container-redeployed', mutes: ['redeployed'] },
  unhealthy: { rule: 'container-unhealthy', mutes: ['unhealthy'] },
  healthy: { rule: 'container-unhealthy', mutes: ['restored', 'unhealthy'] },
  new: { rule: 'container-started', mutes: ['started'] },
  renamed: { rule: 'container-renamed', mutes: ['started'] },
  missing: { rule: 'service-missing', mutes: [] },
  removed: { mutes: [] },
};

export type StartReport = {
  kind: 'start';
  at: number;
  counts: ServiceCounts;
  lines: StartLine[];
  /** Some of its lines are left out: what they are about is silenced or muted. */
  partly?: true;
  /** There was no monitor before. */
  first: boolean;
  /** atMost: it was killed, some time after it was last seen alive. */
  away?: { ms: number; atMost: boolean };
  /** Docker answered only some time after the start, which was reported then. */
  late: boolean;
  /** The server was rebooted in an orderly way since the monitor before this one. */
  rebooted: boolean;
};

/** Without the lines that may not be shown. */
export function onlyLines(report: StartReport, mayShow: (line: StartLine) => boolean): StartReport {
  const lines = report.lines.filter(mayShow);
  return { ...report, lines, ...(lines.length < report.lines.length ? { partly: true } : {}) };
}

export type MonitorReport =
  | StartReport
  | { kind: 'start-without-docker'; at: number; why: string; rebooted: boolean }
  | { kind: 'stop'; at: number; monitored: number }
  /** unseen: Docker does not answer, and how they are is as old as its last answer. */
  | { kind: 'status-report'; at: number; services: ServiceStatus[]; unseen?: true };
