import { DURATION_EXAMPLES } from '../../model/duration.ts';
import type { Incident } from '../../model/incident.ts';
import type { ContainerInfo } from '../../model/snapshot.ts';
import type { Snapshot } from '../../model/sources.ts';
import {
  fixedHtml,
  formatBytes,
  formatCount,
  formatMany,
  formatDuration,
  formatTime,
  plain,
  safeHtml,
} from '../../model/text.ts';
import { failedAnswer } from './buttons.ts';
import { PHONE_COLUMNS } from './details.ts';

/** What the bot answers, as Telegram HTML. */

/** The commands, as Telegram shows them in its menu. */
export const COMMANDS = [
  { command: 'status', description: 'How the server is, at a glance' },
  { command: 'incidents', description: 'What happened in 24 hours' },
  { command: 'containers', description: 'Containers, those that are not well first' },
  { command: 'chart', description: 'Memory, swap and pressure as a picture: 24h, 7d' },
  { command: 'report', description: 'The daily report, now' },
  { command: 'forecast', description: 'What runs out, and when' },
  { command: 'silence', description: 'No messages: SUBJECT 2h; end SUBJECT; or the list' },
  { command: 'help', description: 'What this bot understands' },
] as const;

/** Whether nobody can see at the moment if it is still so. */
type IsUnseen = (incident: Incident) => boolean;

export type StatusView = {
  hostname: string;
  now: number;
  snapshot: Snapshot | undefined;
  containers: readonly ContainerInfo[];
  /** Firing ones. */
  incidents: readonly Incident[];
  isUnseen: IsUnseen;
  waiting: number;
  silenced: readonly string[];
};

const NAMED_MOST = 12;
const ROWS_MOST = 60;

/** The answer to /status: what one has to know first, on one screen of a phone. */
export function statusHtml({ hostname, now, snapshot, containers, incidents, ...view }: StatusView): string {
  const how = incidents.length === 0 ? 'all well' : formatMany(incidents.length, 'open incident');
  const lines = [`<b>${safeHtml(hostname, 60)}: ${how}</b>`];
  const newestFirst = incidents.toSorted((a, b) => b.openedAt - a.openedAt);
  for (const incident of newestFirst.slice(0, NAMED_MOST))
    lines.push(incidentLine(incident, now, view.isUnseen));
  if (incidents.length > NAMED_MOST) lines.push(`... and ${incidents.length - NAMED_MOST} more: /incidents`);
  lines.push('');
  const host = snapshot?.readings.host;
  if (host?.state === 'ok') {
    const { memory, swap, load, uptimeSec, disks } = host.value;
    lines.push(
      `Memory: ${formatBytes(memory.availableBytes)} of ${formatBytes(memory.totalBytes)} available`,
      swap.totalBytes > 0
        ? `Swap: ${formatBytes(swap.usedBytes)} of ${formatBytes(swap.totalBytes)} used`
        : 'Swap: none',
      `Load: ${load[0].toFixed(2)}`,
    );
    for (const { mount, availableBytes: free } of disks.slice(0, 6))
      if (free !== undefined) lines.push(`Disk ${safeHtml(mount, 40)}: ${formatBytes(free)} free`);
    lines.push(`Up: ${formatDuration(uptimeSec * 1000)}`);
  }
  const up = containers.filter((container) => container.state === 'running').length;
  if (containers.length > 0) lines.push(`Containers: ${up} of ${containers.length} running`);
  if (view.silenced.length > 0)
    lines.push(`Silenced: ${safeHtml(view.silenced.slice(0, 10).join(', '), 200)}`);
  if (view.waiting > 0) lines.push(`Messages waiting: ${formatCount(view.waiting)}`);
  lines.push(snapshot ? `Last check: ${formatTime(snapshot.at)}` : 'No check is finished yet.');
  return lines.join('\n');
}

/** The answer to /incidents. */
export function incidentsHtml(
  hostname: string,
  incidents: readonly Incident[],
  now: number,
  isUnseen: IsUnseen,
): string {
  if (incidents.length === 0) return `<b>${safeHtml(hostname, 60)}</b>: no incidents in 24 hours.`;
  const shown = incidents.slice(0, 25).map((incident) => incidentLine(incident, now, isUnseen));
  const left = incidents.length - shown.length;
  return [
    `<b>${safeHtml(hostname, 60)}: incidents of 24 hours</b>`,
    ...shown,
    ...(left > 0 ? [`... and ${formatCount(left)} more`] : []),
  ].join('\n');
}

function incidentLine(incident: Incident, now: number, isUnseen: IsUnseen): string {
  const { id, severity, state, event, openedAt, resolvedAt, okSince, text, endText } = incident;
  const open = state !== 'resolved';
  // Of one that comes and goes, and is fine at the moment.
  const how = open && okSince !== undefined ? `fine since ${formatTime(okSince)}: ${endText ?? text}` : text;
  const time = event
    ? formatTime(openedAt)
    : open
      ? `for ${formatDuration(Math.max(0, now - openedAt))}${isUnseen(incident) ? '; not seen now' : ''}`
      : `ended after ${formatDuration(Math.max(0, (resolvedAt ?? now) - openedAt))}`;
  const title = `#${id} ${severity.toUpperCase()}`;
  return `${open ? `<b>${title}</b>` : title} ${safeHtml(how, 160)} (${time})`;
}

/** The answer to /containers: those that are not well by name, the others in columns that fit a phone. */
export function containersHtml(hostname: string, containers: readonly ContainerInfo[]): string {
  const title = safeHtml(hostname, 60);
  if (containers.length === 0) return `<b>${title}</b>: no containers are seen.`;
  const sorted = containers.toSorted((a, b) => a.name.localeCompare(b.name));
  const bad = sorted.filter((one) => !isWell(one));
  const well = sorted.filter(isWell);
  const many = formatMany(containers.length, 'container');
  const lines = [`<b>${title}: ${many}, ${bad.length === 0 ? 'all well' : `${bad.length} not well`}</b>`];
  for (const one of bad.slice(0, ROWS_MOST)) lines.push(`🔴 ${safeHtml(one.name, 60)}: ${howIs(one)}`);
  if (bad.length > ROWS_MOST) lines.push(`... and ${formatCount(bad.length - ROWS_MOST)} more`);
  const shown = well.slice(0, ROWS_MOST);
  const rows = shown.map((one) => inColumns(one.name, howIs(one)));
  if (well.length > shown.length) rows.push(`... and ${formatCount(well.length - shown.length)} more`);
  if (rows.length > 0) lines.push(`<pre>${rows.join('\n')}</pre>`);
  return lines.join('\n');
}

function howIs({ state, health, memory, restartsLast5Min: restarts }: ContainerInfo): string {
  const how = state !== 'running' ? [state] : health === 'unhealthy' || health === 'starting' ? [health] : [];
  const used = memory && state === 'running' ? [formatBytes(memory.workingSetBytes)] : [];
  const often = restarts > 0 ? [`${restarts} restarts`] : [];
  const all = [...how, ...used, ...often];
  return all.length > 0 ? all.join(', ') : state;
}

/** The name at the left, the rest at the right; in two lines where they are too long for one. */
function inColumns(name: string, rest: string): string {
  const shown = plain(name, PHONE_COLUMNS);
  return shown.length + rest.length + 1 <= PHONE_COLUMNS
    ? fixedHtml(shown.padEnd(PHONE_COLUMNS - rest.length) + rest)
    : `${fixedHtml(shown)}\n${fixedHtml(rest.padStart(PHONE_COLUMNS))}`;
}

function isWell({ state, health }: ContainerInfo): boolean {
  return state === 'running' && health !== 'unhealthy';
}

/** What a command printed, or log lines, in fixed width under a title. */
export function printedHtml(title: string, lines: readonly string[]): string {
  const body = lines.map((line) => fixedHtml(line, 300)).join('\n');
  return `<b>${safeHtml(title, 120)}</b>\n<pre>${body === '' ? '(nothing)' : body}</pre>`;
}

/** The answer to /help. `isGroup`: several servers may read along. `acts`: buttons may stop and restart. */
export function helpHtml(hostname: string, { isGroup, acts }: { isGroup: boolean; acts: boolean }): string {
  return [
    `<b>${safeHtml(hostname, 60)}</b>`,
    ...COMMANDS.map(({ command, description }) => `/${command} - ${safeHtml(description)}`),
    ...(isGroup ? [`Only this server: /status ${safeHtml(hostname, 60)}`] : []),
    acts
      ? 'Buttons under an incident stop, restart and undo; they ask first.'
      : 'Buttons under an incident read, silence and acknowledge. Stopping and restarting is switched off (TELEGRAM_ACTIONS).',
  ].join('\n');
}

/** What followed the command is no name of this server. */
export function notThisServerHtml(command: string, words: readonly string[], hostname: string): string {
  const server = `This server is called <b>${safeHtml(hostname, 60)}</b>`;
  return `${server}; it does not know what to do with: /${command} ${safeHtml(words.join(' '), 100)}\n/help`;
}

/** The answer to /silence. */
export function silencesHtml(
  silences: readonly { subject: string; until: number; reason: string; scheduled: boolean }[],
): string {
  const lines = silences.map(({ subject, until, reason, scheduled }) => {
    const why = [scheduled ? 'vpsmon.yaml' : '', reason].filter((part) => part !== '').join(': ');
    return `${safeHtml(subject, 60)} until ${formatTime(until)}${why ? ` (${safeHtml(why, 100)})` : ''}`;
  });
  return lines.length === 0 ? 'Nothing is silenced. /silence web 2h' : lines.join('\n');
}

/** `unknown`: what speaks for a misspelt name. */
export function silencedHtml(subject: string, until: number, unknown?: string): string {
  const name = safeHtml(subject, 60);
  const doubt = unknown === undefined ? '' : ` But ${safeHtml(unknown, 250)}`;
  return `No messages about ${name} until ${formatTime(until)}. Incidents are still recorded. /silence end ${safeHtml(subject, 250)}${doubt}`;
}

/** `still`: what silences it all the same, or silences it instead; `end`: the command that ends that, where one can. */
export function silenceEndedHtml(
  subject: string,
  was: boolean,
  still?: { text: string; end: string | undefined },
): string {
  const name = safeHtml(subject, 60);
  if (still !== undefined) {
    const none = still.end === undefined ? 'silence that could be ended here' : 'silence of its own';
    const end = still.end === undefined ? '' : `. That ends with ${safeHtml(still.end, 250)}`;
    return `${name} ${was ? 'stays silent' : `has no ${none}`}: ${safeHtml(still.text, 200)}${end}`;
  }
  return was ? `Messages about ${name} come again.` : `${name} is not silenced.`;
}

/** An answer of one line: several servers may give one in a group. */
export function answerOf(hostname: string, html: string): string {
  return `<b>${safeHtml(hostname, 60)}</b>: ${html}`;
}

/** What was asked for is not done; most often the disk takes nothing. */
export function failedHtml(why: string): string {
  return safeHtml(failedAnswer(why));
}

/** Its answer went with a monitor that ended, and may not be had by trying again and again. */
export function lostHtml(command: string, when: string): string {
  return `the answer to /${command} of ${when} is lost, for vpsmon was started anew meanwhile. Write it again if it is still wanted.`;
}

/** How /silence is written. */
export function silenceHelpHtml(): string {
  return `Like /silence web 2h or /silence all 30m; durations are like ${safeHtml(DURATION_EXAMPLES)}.`;
}

/** Somebody who may not has written to the bot, or tapped a button. */
export function refusedHtml(
  hostname: string,
  { who, where, what, why }: Record<'who' | 'where' | 'what' | 'why', string>,
): string {
  return [
    '<b>Somebody was refused</b>',
    `Server: ${safeHtml(hostname, 60)}`,
    `Who: ${safeHtml(who, 100)}, in the ${safeHtml(where, 60)}`,
    `Tried: ${safeHtml(what, 80)}`,
    `Why not: ${safeHtml(why)}`,
    '',
    'Sent once a day about each of them.',
  ].join('\n');
}

/** Another program reads the bot's messages. */
export function conflictHtml(hostname: string, why: string): string {
  return `<b>Commands and buttons do not work</b>\nServer: ${safeHtml(hostname, 60)}\n${safeHtml(why, 600)}`;
}
