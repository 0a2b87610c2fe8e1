// The messages about the monitor itself: its start with all that changed meanwhile, its end, the periodic status.
import type { Message } from '../../model/message.ts';
import type { MonitorReport, StartLine, StartReport, ServiceStatus } from '../../model/monitor-report.ts';
import { formatDuration, formatTime, plain, safeHtml } from '../../model/text.ts';
import { because, whyNotStarted, exitText } from './death.ts';
import { bold, healthText, statusText } from './fields.ts';

/** More lines of one kind than this become one line with names. */
const MAX_ALIKE = 8;
const NAMED_MAX = 30;
const BAD: StartLine['kind'][] = ['stopped', 'unhealthy', 'missing', 'restarting'];

/** A report as the message that goes out. */
export function reportMessage(report: MonitorReport, server: string): Message {
  const { at } = report;
  const of = (kind: string, html: string, subject = 'vpsmon'): Message => ({
    at,
    severity: 'info',
    kind,
    subject,
    html,
  });
  const name = `Server: ${safeHtml(server, 80)}`;
  switch (report.kind) {
    case 'start':
      return { ...of('start', startHtml(report, name)), severity: severityOf(report.lines) };
    case 'start-without-docker': {
      const title = report.rebooted
        ? '🔄 <b>Server Rebooted</b> (clean)'
        : '🚀 <b>Service Monitor Started</b>';
      const docker = `Docker: ${safeHtml(plain(report.why), 200)}`;
      return of('start', `${title}\n\n${name}\n${docker}\nTime: ${formatTime(at)}`);
    }
    case 'stop': {
      const services = report.monitored === 1 ? '1 service is' : `${report.monitored} services are`;
      const text = `${services} not watched until it runs again.`;
      return of('stop', `🔴 <b>Service Monitor Stopped</b>\n\n${name}\n${text}\nTime: ${formatTime(at)}`);
    }
    case 'status-report':
      return of(
        'status-report',
        report.unseen ? unseenReport(name, at) : renderStatusReport(report.services, server, at),
        'services',
      );
  }
}

/** `vpsmon telegram test`. */
export function testHtml(server: string, now: number): string {
  return `<b>Test message from vpsmon</b>\nServer: ${safeHtml(server, 80)}\nTime: ${formatTime(now)}\nAlerts will arrive here.`;
}

/** The first message, sent by `vpsmon setup`. */
export function setUpHtml(server: string): string {
  return `<b>vpsmon is set up</b>\nServer: ${safeHtml(server, 80)}\nAlerts will arrive here.`;
}

/** Below the picture of /chart; `period`: "24h". */
export function chartCaption(server: string, period: string): string {
  return `<b>${safeHtml(server, 60)}</b>: the last ${safeHtml(period, 10)}`;
}

function severityOf(lines: readonly StartLine[]): Message['severity'] {
  if (lines.some(({ critical }) => critical)) return 'critical';
  return lines.some(({ kind }) => BAD.includes(kind)) ? 'warning' : 'info';
}

/** One message for all containers. */
function startHtml(report: StartReport, server: string): string {
  const { at, counts, lines, first, late, partly } = report;
  const away = report.away
    ? ` (${report.away.atMost ? 'at most ' : ''}${formatDuration(report.away.ms)})`
    : '';
  const rebooted = report.rebooted && !late;
  const heading = rebooted ? 'Not as before:' : first ? 'Needs attention:' : `While it was away${away}:`;
  const nothing = first || rebooted || partly ? [] : ['', `Nothing changed while it was away${away}.`];
  return [
    rebooted
      ? rebootTitle(report)
      : late
        ? '🚀 <b>Docker Answers: Watching</b>'
        : '🚀 <b>Service Monitor Started</b>',
    '',
    server,
    `Services: ${counts.monitored}`,
    `🟢 Running: ${counts.running}`,
    `🔴 Stopped: ${counts.stopped}`,
    `🟡 Restarting: ${counts.restarting}`,
    ...(counts.unhealthy > 0 ? [`🏥 Unhealthy: ${counts.unhealthy}`] : []),
    `Time: ${formatTime(at)}`,
    ...(lines.length > 0 ? ['', heading, ...foldAlike(lines)] : nothing),
  ].join('\n');
}

/** A clean reboot in one line, for the preview of a phone. */
function rebootTitle({ away, counts, lines }: StartReport): string {
  const { monitored, running } = counts;
  const gone = lines.filter(({ kind }) => BAD.includes(kind)).length;
  const all = monitored === 1 ? 'the service is back' : `all ${monitored} services are back`;
  const back =
    gone > 0
      ? `${gone} of ${monitored} services ${gone === 1 ? 'is' : 'are'} not well`
      : running < monitored
        ? `${running} of ${monitored} services run`
        : all;
  return `🔄 <b>Server Rebooted</b> (clean), away ${formatDuration(away?.ms ?? 0)}, ${back}`;
}

function foldAlike(lines: readonly StartLine[]): string[] {
  const kinds = new Set(lines.map(({ kind }) => kind));
  return [...kinds].flatMap((kind) => {
    const alike = lines.filter((line) => line.kind === kind);
    return alike.length > MAX_ALIKE ? [folded(kind, alike)] : alike.map(startLine);
  });
}

const FOLDED: Record<StartLine['kind'], string> = {
  stopped: '🔴 %n services stopped',
  up: '✅ %n services run again',
  restarted: '🔄 %n services were restarted',
  redeployed: '🚀 %n services were redeployed',
  unhealthy: '🏥 %n services are unhealthy',
  healthy: '✅ %n services are healthy again',
  removed: '🔴 %n services were removed',
  new: '🚀 %n services are new and running',
  missing: '🔴 %n monitored services are not there',
  restarting: '🟡 %n services are restarting',
  renamed: '🔄 %n services have another name',
};

function folded(kind: StartLine['kind'], alike: readonly StartLine[]): string {
  // What is down is named, however many they are: this may be the only message about it.
  const most = BAD.includes(kind) ? alike.length : NAMED_MAX;
  const names = alike.slice(0, most).map(({ name }) => safeHtml(name, 60));
  const more = alike.length - names.length;
  return `${FOLDED[kind].replace('%n', String(alike.length))}: ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** One line of the start message, HTML. */
export function startLine(line: StartLine): string {
  const name = bold(line.name);
  switch (line.kind) {
    case 'stopped':
      return `🔴 ${stoppedLine(line)}`;
    case 'up':
      if (line.resumed) return `✅ ${name} is not paused any more`;
      return line.downMs === undefined
        ? `🚀 ${name} was started`
        : `✅ ${name} runs again, after ${formatDuration(line.downMs)}`;
    case 'restarted': {
      const { byPolicy, death } = line;
      const times = byPolicy > 0 ? `${byPolicy === 1 ? '' : ` ${byPolicy} times`} by its restart policy` : '';
      return `🔄 ${name} was restarted${times}${death ? `: ${safeHtml(because(death))}` : ''}`;
    }
    case 'restarting':
      return `🟡 ${name} is restarting (${line.restarts} restarts, ${safeHtml(exitText(line.exitCode))})`;
    case 'renamed':
      return `🔄 ${bold(line.was)} is now called ${name}`;
    case 'redeployed':
      return `🚀 ${name} was redeployed and runs`;
    case 'unhealthy':
      return `🏥 ${name} is unhealthy`;
    case 'healthy':
      return `✅ ${name} is healthy again`;
    case 'removed':
      return `🔴 ${name} was removed`;
    case 'new':
      return `🚀 ${name} is new and running`;
    case 'missing':
      return `🔴 ${name} is monitored, but ${line.created ? 'its container was never started' : 'there is no such container'}`;
  }
}

function stoppedLine(line: Extract<StartLine, { kind: 'stopped' }>): string {
  const name = bold(line.name);
  switch (line.how) {
    case 'ended': {
      const { death, redeployed } = line;
      const why = death.cause === 'unseen' ? exitText(death.exitCode) : because(death);
      return `${name} ${redeployed ? 'was redeployed and then ' : ''}stopped: ${safeHtml(why)}`;
    }
    case 'not-back':
      return `${name} is not back (restart policy: ${safeHtml(line.policy)})`;
    case 'successor-not-started':
      return `${name} was redeployed, but its new container did not start`;
    case 'unstarted':
      return `${name} did not start: ${safeHtml(whyNotStarted(line.death))}`;
    case 'found':
      return `${name} is stopped, ${safeHtml(exitText(line.exitCode))}`;
    case 'paused':
      return `${name} is paused (docker pause)`;
  }
}

const REPORT_TITLE = '📊 <b>Service Status Report</b>';
/** Four lines each are readable for this many; more services get a line each. */
const IN_FULL = 20;
/** Telegram takes 4,096 characters. */
const MAX_LENGTH = 3900;

/** The periodic status report as Telegram HTML, always one message: troubled services first where there are many. */
export function renderStatusReport(services: ServiceStatus[], server: string, at: number): string {
  const named = `Server: ${safeHtml(server, 80)}`;
  const head = [REPORT_TITLE, '', named, `Generated: ${formatTime(at)}`, ''];
  const foot = summary(services);
  const sorted = services.toSorted((a, b) => a.name.localeCompare(b.name));
  if (services.length <= IN_FULL) {
    const full = [...head, ...sorted.flatMap(inFull), ...foot].join('\n');
    if (full.length <= MAX_LENGTH) return full;
  }
  const lines = sorted.toSorted((a, b) => rank(a) - rank(b)).map(inShort);
  let left = MAX_LENGTH - [...head, ...foot].join('\n').length - 40;
  const shown: string[] = [];
  for (const line of lines) {
    left -= line.length + 1;
    if (left < 0) break;
    shown.push(line);
  }
  const more = lines.length - shown.length;
  return [...head, ...shown, ...(more > 0 ? [`... and ${more} more`] : []), '', ...foot].join('\n');
}

/** What was seen last may be long over. */
function unseenReport(server: string, at: number): string {
  return [
    REPORT_TITLE,
    '',
    server,
    `Generated: ${formatTime(at)}`,
    '',
    'Docker does not answer: nobody can see how the services are.',
  ].join('\n');
}

function symbolAndStatus({ state }: ServiceStatus): [symbol: string, status: string] {
  return statusText(state).split(' ') as [string, string];
}

function inFull(service: ServiceStatus): string[] {
  const [symbol, status] = symbolAndStatus(service);
  return [
    `${symbol} <b>${safeHtml(service.name, 80)}</b>`,
    `   Status: ${status}`,
    `   Health: ${healthText(service.state === 'running' ? service.health : 'none')}`,
    `   Restarts: ${service.restartCount}`,
    `   Container: ${service.containerId?.slice(0, 12) ?? 'N/A'}`,
    '',
  ];
}

function inShort(service: ServiceStatus): string {
  const [symbol, status] = symbolAndStatus(service);
  const notes = [
    ...(service.state === 'running' ? [] : [status]),
    ...(service.state === 'running' && service.health !== 'none' ? [healthText(service.health)] : []),
    ...(service.restartCount > 0 ? [`restarts: ${service.restartCount}`] : []),
  ];
  return `${symbol} ${safeHtml(service.name, 60)}${notes.length > 0 ? ` - ${notes.join(', ')}` : ''}`;
}

/** Troubled ones first: not running, unhealthy, often restarted, the rest. */
function rank(service: ServiceStatus): number {
  if (service.state !== 'running') return service.state === 'restarting' ? 1 : 0;
  if (service.health === 'unhealthy') return 2;
  return service.restartCount > 0 ? 3 : 4;
}

function summary(services: ServiceStatus[]): string[] {
  const of = (symbol: string): number =>
    services.filter(({ state }) => statusText(state).startsWith(symbol)).length;
  const unhealthy = services.filter((s) => s.state === 'running' && s.health === 'unhealthy').length;
  return [
    'Summary:',
    `🟢 Running: ${of('🟢')}`,
    `🔴 Stopped: ${of('🔴')}`,
    `🟡 Restarting: ${of('🟡')}`,
    ...(unhealthy > 0 ? [`🏥 Unhealthy: ${unhealthy}`] : []),
  ];
}
