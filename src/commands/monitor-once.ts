import { openCollectors } from '../checks/collect.ts';
import { createDiscovery } from '../discovery/discover.ts';
import type { Finding } from '../model/finding.ts';
import type { Incident } from '../model/incident.ts';
import type { LeftOff } from '../model/left-off.ts';
import type { ContainerInfo } from '../model/snapshot.ts';
import type { Snapshot } from '../model/sources.ts';
import { formatDuration, formatMany, formatMoment, plain } from '../model/text.ts';
import { judgeCheck, renderCheck } from '../outputs/terminal/check.ts';
import { judgeContainersNow } from '../rules/containers-now.ts';
import { judgeAll } from '../checks/judge.ts';
import { incidentsSince } from '../store/incidents.ts';
import { lookOr } from '../store/look.ts';
import { lookAtLeftOff } from '../store/left-off.ts';
import { osName } from '../system/describe-machine.ts';
import { readContainers } from '../system/docker/containers.ts';
import { VERSION } from '../version.ts';
import type { CommandContext } from './context.ts';
import { printJson } from './io.ts';

/** Rates need two readings; this much time between them. */
const RATE_WINDOW_MS = 1000;
/** A process that the kernel killed is worth a warning for so long. */
const RECENT_KILL_MS = 3_600_000;
/** Containers whose kills have a line of their own. */
const MOST_KILLED = 5;

/** One full check to the terminal. Exit 0 all fine, 1 warnings, 2 critical, 3 when the check itself failed. */
export async function monitorOnce(context: CommandContext): Promise<number> {
  const { io, options, config } = context;
  const snapshot = await checkOnce(context);
  if (snapshot.readings.host.state === 'failed') {
    io.err(`vpsmon: this host cannot be read: ${snapshot.readings.host.why}`);
  }
  const kept = lookOr(config.stateDir, [], (db) => incidentsSince(db, snapshot.at - RECENT_KILL_MS));
  const findings = judgeOnce(context, snapshot, leftOffOrNone(config.stateDir), kept);
  const result = judgeCheck(findings);
  if (options.json) printJson(io, toJson(snapshot, findings, result.verdict));
  else {
    io.out(
      renderCheck({
        snapshot,
        findings,
        version: VERSION,
        system: describeSystem(context),
        files: config.files,
        ...io,
      }),
    );
  }
  return snapshot.readings.host.state === 'failed' ? 3 : result.exitCode;
}

/** Two readings, a second apart: the second one has rates. What needs no rate is read once. */
export async function checkOnce(context: CommandContext, rates = true): Promise<Snapshot> {
  const { system, config } = context;
  const discovery = createDiscovery({ ...system, config });
  let listed: Promise<ContainerInfo[]> | undefined;
  const collectors = openCollectors({
    system,
    config,
    discovered: (signal) => discovery.current(signal),
    rediscover: () => discovery.invalidate(),
    containers: (signal) => (listed ??= readContainers(system.docker, signal)),
    recall: () => undefined,
    remember: () => undefined,
  });
  try {
    const first = await collectors.collect();
    if (!rates) return first;
    await system.clock.sleep(RATE_WINDOW_MS);
    const { readings } = await collectors.collect({ only: ['host', 'docker'] });
    return { ...first, readings: { ...first.readings, host: readings.host, docker: readings.docker } };
  } finally {
    await collectors.close();
    system.docker.close();
    system.kernelLog.close();
  }
}

/** The rules without hold times: what is true now counts. A source that failed counts at once, for nobody looks again. */
export function judgeOnce(
  context: Pick<CommandContext, 'config'>,
  snapshot: Snapshot,
  leftOff: readonly LeftOff[] = [],
  kept: readonly Incident[] = [],
): Finding[] {
  const { readings } = snapshot;
  const failedInARow: Record<string, number> = {};
  for (const [source, reading] of Object.entries(readings))
    failedInARow[source] = reading.state === 'failed' ? 3 : 0;
  const past = {
    failedInARow,
    growth: [],
    forecasts: [],
    historyStart: snapshot.at - RECENT_KILL_MS,
    leftOff,
  };
  const containers =
    readings.docker.state === 'ok'
      ? judgeContainersNow(readings.docker.value.containers, context.config)
      : [];
  const findings = judgeAll(snapshot, past, context.config);
  const kills = findings.filter(({ rule }) => rule === 'oom-kill');
  return [
    ...findings.filter(({ rule }) => rule !== 'oom-kill'),
    ...summarizeKills([...kills, ...undatedKills(snapshot, kept)], snapshot),
    ...containers,
  ];
}

/** Who may not read the state folder learns it from `status` and `doctor`; this check is about what can be seen. */
function leftOffOrNone(stateDir: string): LeftOff[] {
  try {
    return lookAtLeftOff(stateDir);
  } catch {
    return [];
  }
}

/** The counter shows kills, and no log when they were: what the monitor has kept tells, or a server that has not been up for longer. */
function undatedKills({ at, readings: { oom, host } }: Snapshot, kept: readonly Incident[]): Finding[] {
  if (oom.state !== 'ok' || oom.value.kills.length > 0) return [];
  const about = { rule: 'oom-kill', severity: 'warning', verdict: 'event' } as const;
  const recent = kept.filter(
    ({ rule, lastSeenAt }) => rule === about.rule && at - lastSeenAt < RECENT_KILL_MS,
  );
  if (recent.length > 0)
    return recent.map(({ subject, text, lastSeenAt }) => ({ ...about, subject, text, at: lastSeenAt }));
  const { killsSinceBoot = 0 } = oom.value;
  const upMs = host.state === 'ok' ? host.value.uptimeSec * 1000 : Infinity;
  if (killsSinceBoot === 0 || upMs >= RECENT_KILL_MS) return [];
  const text = `Out of memory: ${formatMany(killsSinceBoot, 'kill')} since the boot ${formatDuration(upMs)} ago; only a counter shows it, so it is not known of what`;
  return [{ ...about, subject: 'host', text }];
}

/**
 * Kills of the last hour are over, and a reason to look: no critical state of now. A container that is killed again and again is one
 * line, with its last kill and how many there were; so are all those beyond a few containers.
 */
function summarizeKills(kills: readonly Finding[], snapshot: Snapshot): Finding[] {
  const bySubject = new Map<string, Finding[]>();
  for (const kill of kills.toSorted((a, b) => (b.at ?? 0) - (a.at ?? 0)))
    bySubject.set(kill.subject, [...(bySubject.get(kill.subject) ?? []), kill]);
  const groups = [...bySubject.values()];
  const summaries = groups.slice(0, MOST_KILLED).flatMap(([last, ...earlier]): Finding[] => {
    if (!last) return [];
    const severity = 'warning';
    if (earlier.length === 0) return [{ ...last, severity }];
    const first = formatMoment(earlier.at(-1)?.at ?? snapshot.at, snapshot.at);
    return [
      {
        ...last,
        severity,
        text: `${last.text}; at ${formatMoment(last.at ?? snapshot.at, snapshot.at)}, the last of ${earlier.length + 1} kills since ${first}`,
      },
    ];
  });
  const rest = groups.slice(MOST_KILLED);
  const [latest] = rest.flat();
  if (!latest) return summaries;
  const names = rest.map((group) => `${plain(group[0]?.subject ?? '', 60)} (${group.length})`);
  const text = `Out of memory: ${rest.flat().length} more kills in the last hour: ${plain(names.join(', '), 300)}`;
  return [...summaries, { ...latest, subject: 'host', severity: 'warning', text, details: [] }];
}

function describeSystem({ system }: CommandContext): string {
  const kernel = system.files.textOr('/proc/sys/kernel/osrelease')?.trim() ?? '';
  return `${osName(system.files) || 'Linux'}, kernel ${kernel}`;
}

/** The documented shape of `monitor --once --json`. */
function toJson(snapshot: Snapshot, findings: Finding[], result: string) {
  return {
    version: 1,
    vpsmon: VERSION,
    at: new Date(snapshot.at).toISOString(),
    took_ms: Math.round(snapshot.tookMs),
    result,
    findings: findings
      .filter((f) => f.verdict === 'breach' || f.verdict === 'event')
      .map(({ rule, subject, severity, value, limit, unit, text, details }) => ({
        rule,
        subject,
        severity,
        value,
        limit,
        unit,
        text,
        details,
      })),
    sources: snapshot.readings,
  };
}
