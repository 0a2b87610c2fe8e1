// The messages about the monitor itself, and the lines of the status report.
import type { Message } from '../model/message.ts';
import type { ServiceStatus } from '../model/service.ts';
import { formatDuration, formatTime, plain, safeHtml } from '../model/text.ts';
import type { Note } from './notes.ts';
import { isUp, isWatched, keyOf } from './table.ts';
import type { State } from './types.ts';

export type Counts = {
  monitored: number;
  running: number;
  stopped: number;
  restarting: number;
  unhealthy: number;
};

/** More notes of one kind than this become one line with names. */
const MAX_ALIKE = 8;
const NAMED_MAX = 30;
const BAD: Note['kind'][] = ['stopped', 'unhealthy', 'missing', 'restarting'];

/** Every watched service once, with the missing ones. */
export function serviceLines(state: State): ServiceStatus[] {
  const lines: ServiceStatus[] = [];
  for (const known of state.known.values()) {
    const { info } = known;
    if (!isWatched(state, known)) continue;
    // Compose's short-lived second container of a service is no service of its own.
    if (state.byKey.get(keyOf(known)) !== info.id) continue;
    lines.push({
      name: info.name,
      state: info.state,
      health: info.health,
      restartCount: info.restartCount,
      containerId: info.id,
    });
  }
  for (const standing of state.standing.values()) {
    const missing = standing.missing?.finding;
    if (missing) lines.push({ name: missing.subject, state: 'missing', health: 'none', restartCount: 0 });
  }
  return lines;
}

export function countServices(state: State): Counts {
  const counts: Counts = { monitored: 0, running: 0, stopped: 0, restarting: 0, unhealthy: 0 };
  for (const line of serviceLines(state)) {
    counts.monitored += 1;
    if (line.state === 'running') counts.running += 1;
    else if (line.state === 'restarting') counts.restarting += 1;
    else counts.stopped += 1;
    if (line.state !== 'missing' && isUp(line.state) && line.health === 'unhealthy') counts.unhealthy += 1;
  }
  return counts;
}

type Start = {
  at: number;
  server: string;
  counts: Counts;
  notes: Note[];
  first: boolean;
  /** atMost: it was killed, some time after it was last seen alive. */
  away?: { ms: number; atMost: boolean };
  late: boolean;
  /** The server was rebooted in an orderly way since the monitor before this one. */
  rebooted?: boolean;
};

/** The whole story of a clean reboot in one line, for the preview of a phone. */
function rebootTitle({ away, counts, notes }: Start): string {
  const gone = notes.filter(({ kind }) => BAD.includes(kind)).length;
  const all = counts.monitored === 1 ? 'the service is back' : `all ${counts.monitored} services are back`;
  const back =
    gone === 0 ? all : `${gone} of ${counts.monitored} services ${gone === 1 ? 'is' : 'are'} not well`;
  return `🔄 <b>Server Rebooted</b> (clean), away ${formatDuration(away?.ms ?? 0)}, ${back}`;
}

/** One message for all containers. `late`: Docker answered only some time after the start. */
export function startMessage(start: Start): Message {
  const { at, server, counts, notes, first, late } = start;
  const away = start.away ? ` (${start.away.atMost ? 'at most ' : ''}${formatDuration(start.away.ms)})` : '';
  const rebooted = start.rebooted === true && !late;
  const heading = rebooted ? 'Not as before:' : first ? 'Needs attention:' : `While it was away${away}:`;
  const nothing = first || rebooted ? [] : ['', `Nothing changed while it was away${away}.`];
  const bad = notes.some(({ kind }) => BAD.includes(kind));
  const worst = notes.some((note) => note.critical) ? 'critical' : bad ? 'warning' : 'info';
  return {
    at,
    severity: worst,
    kind: 'start',
    subject: 'vpsmon',
    html: [
      rebooted
        ? rebootTitle(start)
        : late
          ? '🚀 <b>Docker Answers: Watching</b>'
          : '🚀 <b>Service Monitor Started</b>',
      '',
      serverLine(server),
      `Services: ${counts.monitored}`,
      `🟢 Running: ${counts.running}`,
      `🔴 Stopped: ${counts.stopped}`,
      `🟡 Restarting: ${counts.restarting}`,
      ...(counts.unhealthy > 0 ? [`🏥 Unhealthy: ${counts.unhealthy}`] : []),
      `Time: ${formatTime(at)}`,
      ...(notes.length > 0 ? ['', heading, ...noteLines(notes)] : nothing),
    ].join('\n'),
  };
}

function serverLine(server: string): string {
  return `Server: ${safeHtml(server, 80)}`;
}

function noteLines(notes: Note[]): string[] {
  const lines: string[] = [];
  for (const kind of new Set(notes.map((note) => note.kind))) {
    const alike = notes.filter((note) => note.kind === kind);
    lines.push(...(alike.length > MAX_ALIKE ? [folded(kind, alike)] : alike.map((note) => note.line)));
  }
  return lines;
}

const FOLDED: Record<Note['kind'], string> = {
  stopped: '🔴 %n services stopped',
  up: '✅ %n services run again',
  restarted: '🔄 %n services were restarted',
  redeployed: '🚀 %n services were redeployed',
  unhealthy: '🏥 %n services are unhealthy',
  healthy: '✅ %n services are healthy again',
  removed: '🔴 %n services were removed',
  new: '🚀 %n services are new and running',
  missing: '🔴 %n monitored services do not exist',
  restarting: '🟡 %n services are restarting',
  renamed: '🔄 %n services have another name',
};

function folded(kind: Note['kind'], alike: Note[]): string {
  // What is down is named, however many they are: this may be the only message about it.
  const most = BAD.includes(kind) ? alike.length : NAMED_MAX;
  const names = alike.slice(0, most).map((note) => safeHtml(note.name, 60));
  const more = alike.length - names.length;
  return `${FOLDED[kind].replace('%n', String(alike.length))}: ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** The start message where Docker does not answer. */
export function startWithoutDocker(at: number, server: string, why: string, rebooted = false): Message {
  const title = rebooted ? '🔄 <b>Server Rebooted</b> (clean)' : '🚀 <b>Service Monitor Started</b>';
  return {
    at,
    severity: 'info',
    kind: 'start',
    subject: 'vpsmon',
    html: `${title}\n\n${serverLine(server)}\nDocker: ${safeHtml(plain(why), 200)}\nTime: ${formatTime(at)}`,
  };
}

export function stopMessage(at: number, server: string, monitored: number): Message {
  const services = monitored === 1 ? '1 service is' : `${monitored} services are`;
  return {
    at,
    severity: 'info',
    kind: 'stop',
    subject: 'vpsmon',
    html: `🔴 <b>Service Monitor Stopped</b>\n\n${serverLine(server)}\n${services} not watched until it runs again.\nTime: ${formatTime(at)}`,
  };
}
