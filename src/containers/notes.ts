// The lines of the start message, and the incidents that go with them: opened without a word of their own.
import type { DockerEvent } from '../system/types.ts';
import type { ContainerInfo } from '../model/snapshot.ts';
import { safeHtml } from '../model/text.ts';
import { because, causeText, exitText } from './cause.ts';
import { endsQuietly, opens } from './findings.ts';
import { deathOf, lastDeath } from './past-deaths.ts';
import { QUIET_MS, unstartedText } from './restarts.ts';
import { unstarted } from './unstarted.ts';
import { eventTime, keyOf, tallyOf } from './table.ts';
import type { Death, Known, Row, Turn } from './types.ts';
import { bold, malfunctionMessage, pausedMessage, stoppedMessage, unhealthyMessage } from './wording.ts';

/** One line of the start message, HTML. */
export type Note = {
  kind:
    | 'stopped'
    | 'up'
    | 'restarted'
    | 'redeployed'
    | 'unhealthy'
    | 'healthy'
    | 'removed'
    | 'new'
    | 'missing'
    | 'restarting'
    | 'renamed';
  name: string;
  service?: string;
  /** It is down, and nobody asked for it. */
  critical?: true;
  /** Its name before. */
  was?: string;
  line: string;
};

export function noteRestarted(known: Known, row: Row, history: DockerEvent[]): Note {
  const { info } = known;
  const rose = info.restartCount - row.restartCount;
  const death = lastDeath(known, history);
  const why = death ? `: ${safeHtml(because(death))}` : '';
  const times = rose > 0 ? `${rose === 1 ? '' : ` ${rose} times`} by its restart policy` : '';
  return { kind: 'restarted', name: info.name, line: `🔄 ${bold(info.name)} was restarted${times}${why}` };
}

export function noteStopped(turn: Turn, known: Known, death: Death, redeployed: boolean): Note {
  const { info } = known;
  endsQuietly(turn, keyOf(known), 'unhealthy', `${info.name} stopped`, death.at);
  const job = death.exitCode === 0 && death.cause !== 'request' && !turn.state.rules.of(info).named;
  if (!job) openStopped(turn, known, death);
  const what = `${redeployed ? 'was redeployed and then ' : ''}stopped: ${death.cause === 'unseen' ? exitText(death.exitCode) : because(death)}`;
  const note: Note = { kind: 'stopped', name: info.name, line: `🔴 ${bold(info.name)} ${safeHtml(what)}` };
  return job || severityOf(death) !== 'critical' ? note : { ...note, critical: true };
}

/** The server was rebooted: how the container ended says nothing, whether it should be back does. */
export function noteNotBack(turn: Turn, known: Known, death: Death): Note {
  const { info } = known;
  endsQuietly(turn, keyOf(known), 'unhealthy', `${info.name} stopped`, death.at);
  openStopped(turn, known, { ...death, cause: 'reboot' }, isKept(info) ? 'critical' : 'warning');
  const policy = isKept(info) ? info.restartPolicy : 'no';
  const line = `🔴 ${bold(info.name)} is not back (restart policy: ${safeHtml(policy)})`;
  return { kind: 'stopped', name: info.name, line, ...(isKept(info) ? { critical: true } : {}) };
}

/** Docker starts it again after a reboot. */
function isKept({ restartPolicy }: ContainerInfo): boolean {
  return restartPolicy === 'always' || restartPolicy === 'unless-stopped' || restartPolicy === 'on-failure';
}

/** A deploy that failed: the old one is gone, the new one was created and no more. */
export function noteNotStarted(turn: Turn, known: Known): Note {
  const { info } = known;
  endsQuietly(turn, keyOf(known), 'unhealthy', `${info.name} was replaced`, turn.now.wall);
  openStopped(turn, known, { ...deathOf(known, []), at: turn.now.wall });
  const line = `🔴 ${bold(info.name)} was redeployed, but its new container did not start`;
  return { kind: 'stopped', name: info.name, line, critical: true };
}

/** It was created, and its start failed. */
export function noteUnstarted(turn: Turn, known: Known): Note {
  const death = unstarted(turn, known);
  openStopped(turn, known, death);
  const why = unstartedText(turn, death).slice(death.name.length);
  const line = `🔴 ${bold(death.name)} ${safeHtml(why)}`;
  return { kind: 'stopped', name: death.name, line, critical: true };
}

function severityOf({ cause, exitCode }: Death): 'warning' | 'critical' {
  return cause === 'request' || exitCode === 0 ? 'warning' : 'critical';
}

/** Opens the incident without a word of its own. */
export function openStopped(
  turn: Turn,
  known: Known,
  death: Death,
  severity: 'warning' | 'critical' = severityOf(death),
): void {
  const { info } = known;
  const quiet = opens(turn, keyOf(known), 'stopped', info, {
    text:
      death.cause === 'unstarted' ? unstartedText(turn, death) : `${info.name} stopped: ${causeText(death)}`,
    at: death.at,
    html: stoppedMessage({
      name: info.name,
      restartCount: info.restartCount,
      death,
      next: '',
      deploy: false,
      secrets: [],
    }),
    severity,
  });
  turn.out.findings.push({ ...quiet, quiet: true });
}

/** Frozen by docker pause: the incident stands, so that its end is told. */
export function notePaused(turn: Turn, known: Known, history: DockerEvent[]): Note {
  const { info } = known;
  const paused = history.findLast((event) => event.id === info.id && event.action === 'pause');
  const at = paused ? eventTime(paused) : turn.now.wall;
  const finding = opens(turn, keyOf(known), 'stopped', info, {
    text: `${info.name} is paused (docker pause)`,
    at,
    html: pausedMessage(info, at),
    how: 'paused',
  });
  turn.out.findings.push({ ...finding, quiet: true });
  return { kind: 'stopped', name: info.name, line: `🔴 ${bold(info.name)} is paused (docker pause)` };
}

export function noteUnhealthy(turn: Turn, known: Known): Note {
  const { info } = known;
  const finding = opens(turn, keyOf(known), 'unhealthy', info, {
    text: `The health check of ${info.name} fails`,
    at: turn.now.wall,
    html: unhealthyMessage(info, { at: turn.now.wall, secrets: [] }),
  });
  turn.out.findings.push({ ...finding, quiet: true });
  return { kind: 'unhealthy', name: info.name, line: `🏥 ${bold(info.name)} is unhealthy` };
}

export function noteRestarting(turn: Turn, known: Known): Note {
  const { info } = known;
  const key = keyOf(known);
  if (
    !turn.state.standing.get(key)?.malfunction &&
    info.restartCount > turn.state.rules.of(info).malfunctionRestarts
  ) {
    const death = deathOf(known, []);
    const finding = opens(turn, key, 'malfunction', info, {
      text: `${info.name} has restarted ${info.restartCount} times: ${exitText(death.exitCode)}`,
      at: turn.now.wall,
      html: malfunctionMessage({ info, at: turn.now.wall, death, secrets: [] }),
      value: info.restartCount,
    });
    tallyOf(turn.state, key).quietAt = turn.now.mono + QUIET_MS;
    turn.out.findings.push({ ...finding, quiet: true });
  }
  const line = `🟡 ${bold(info.name)} is restarting (${info.restartCount} restarts, ${safeHtml(exitText(info.exitCode ?? 0))})`;
  return { kind: 'restarting', name: info.name, line };
}
