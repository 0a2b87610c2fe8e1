import { serverName } from '../config/server-name.ts';
import type { Finding } from '../model/finding.ts';
import type { ContainerInfo } from '../model/snapshot.ts';
import type { Readings, Snapshot } from '../model/sources.ts';
import { judgeAll } from '../checks/judge.ts';
import { JUDGED_BY_CHECK } from '../model/rules.ts';
import { errorText } from '../model/text.ts';
import { onlyLines, type MonitorReport } from '../model/monitor-report.ts';
import { reportMessage } from '../outputs/telegram/monitor.ts';
import type { Monitor } from './types.ts';
import { judgeSelf } from './self.ts';

/**
 * One check, from the first read to the last write. This is the whole program:
 * collect, judge, advance incidents, save, deliver, remember.
 */
export async function runCycle(monitor: Monitor, signal: AbortSignal): Promise<Snapshot | undefined> {
  const snapshot = await unlessAborted(monitor.collectors.collect(), signal);
  if (!snapshot) return undefined;
  monitor.forecasts.add(snapshot);
  const findings = [...judgeAll(snapshot, monitor.past(snapshot), monitor.config), ...judgeSelf(monitor)];
  monitor.recorder.save(monitor.pipeline.process(findings, { judged: JUDGED_BY_CHECK }));
  monitor.delivery.kick();
  monitor.refreshMessages();
  monitor.remember(snapshot);
  return snapshot;
}

/** Sources that do not answer must not hold the end of the monitor up. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const leave = () => resolve(undefined);
    signal.addEventListener('abort', leave, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}

/**
 * Between two checks, when the kernel has killed something: reads only the kernel's account of it and reports it at once.
 * Rules that need the other sources wait for the next check. Never rejects.
 */
export async function lookForKills(monitor: Monitor): Promise<void> {
  const last = monitor.state.snapshot;
  if (!last || monitor.state.closed) return;
  try {
    const { readings } = await monitor.collectors.collect({ only: ['oom'] });
    const at = monitor.system.clock.now();
    const docker = freshDocker(monitor, last.readings.docker);
    const snapshot: Snapshot = { ...last, at, readings: { ...last.readings, docker, oom: readings.oom } };
    const findings = judgeAll(snapshot, monitor.past(snapshot), monitor.config);
    reportFindings(
      monitor,
      findings.filter(({ rule }) => rule === 'oom-kill'),
    );
  } catch (error) {
    monitor.system.log.error(`Looking for OOM kills failed: ${errorText(error)}`);
  }
}

/** Findings that did not come out of a full check: container changes, OOM kills, things about the monitor itself. */
export function reportFindings(monitor: Monitor, findings: Finding[]): void {
  if (findings.length === 0 || monitor.state.closed) return;
  const changes = monitor.pipeline.process(findings, { judged: [] });
  monitor.recorder.save(changes);
  monitor.delivery.kick();
  monitor.refreshMessages(new Set(changes.map(({ incident }) => incident.id)));
}

/** Start, end and periodic status. */
export function sendReport(monitor: Monitor, report: MonitorReport): void {
  const { pipeline, outbox, delivery, config, system } = monitor;
  const shown = report.kind === 'start' ? onlyLines(report, pipeline.mayReport) : report;
  // That Docker answers at last is worth a message only with what changed.
  if (shown.kind === 'start' && shown.late && shown.lines.length === 0) return;
  const message = reportMessage(shown, serverName(config, system.files));
  try {
    outbox.enqueue(message);
    delivery.kick();
  } catch {
    delivery.sendUnsaved(message);
  }
}

/** Docker as the last check saw it, with the containers of now. */
function freshDocker(monitor: Monitor, last: Readings['docker']): Readings['docker'] {
  if (!monitor.watcher.connected()) return last;
  const known = last.state === 'ok' ? last.value : { version: '', apiVersion: '' };
  return { state: 'ok', tookMs: 0, value: { ...known, containers: freshContainers(monitor) } };
}

/** The containers as the event stream shows them now, with the memory of the last check. */
export function freshContainers({ watcher, state }: Monitor): ContainerInfo[] {
  const docker = state.snapshot?.readings.docker;
  const known = docker?.state === 'ok' ? docker.value.containers : [];
  if (!watcher.connected()) return known;
  const memory = new Map(known.map((container) => [container.id, container.memory]));
  return watcher.containers().map((container) => {
    const held = memory.get(container.id);
    return held ? { ...container, memory: held } : container;
  });
}
