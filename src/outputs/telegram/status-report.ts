import type { ServiceStatus } from '../../model/monitor-report.ts';
import { formatTime, safeHtml } from '../../model/text.ts';

/** Four lines each are readable for this many; more services get a line each. */
const IN_FULL = 20;
/** Telegram takes 4,096 characters. */
const MAX_LENGTH = 3900;

type Kind = { symbol: string; status: string };

/** The periodic status report as Telegram HTML, always one message: troubled services first where there are many. */
export function renderStatusReport(services: ServiceStatus[], server: string, at: number): string {
  const named = `Server: ${safeHtml(server, 80)}`;
  const head = ['📊 <b>Service Status Report</b>', '', named, `Generated: ${formatTime(at)}`, ''];
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

function kindOf({ state }: ServiceStatus): Kind {
  if (state === 'running') return { symbol: '🟢', status: 'Running' };
  if (state === 'restarting') return { symbol: '🟡', status: 'Restarting' };
  if (state === 'paused') return { symbol: '🔴', status: 'Paused' };
  return { symbol: '🔴', status: 'Stopped' };
}

function health(service: ServiceStatus): string {
  const known = { healthy: 'Healthy', unhealthy: '🏥 Unhealthy', starting: 'Starting', none: 'Unknown' };
  return service.state === 'running' ? known[service.health] : 'Unknown';
}

function inFull(service: ServiceStatus): string[] {
  const { symbol, status } = kindOf(service);
  return [
    `${symbol} <b>${safeHtml(service.name, 80)}</b>`,
    `   Status: ${status}`,
    `   Health: ${health(service)}`,
    `   Restarts: ${service.restartCount}`,
    `   Container: ${service.containerId?.slice(0, 12) ?? 'N/A'}`,
    '',
  ];
}

function inShort(service: ServiceStatus): string {
  const { symbol, status } = kindOf(service);
  const notes = [
    ...(service.state === 'running' ? [] : [status]),
    ...(service.state === 'running' && service.health !== 'none' ? [health(service)] : []),
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
    services.filter((service) => kindOf(service).symbol === symbol).length;
  const unhealthy = services.filter((s) => s.state === 'running' && s.health === 'unhealthy').length;
  return [
    'Summary:',
    `🟢 Running: ${of('🟢')}`,
    `🔴 Stopped: ${of('🔴')}`,
    `🟡 Restarting: ${of('🟡')}`,
    ...(unhealthy > 0 ? [`🏥 Unhealthy: ${unhealthy}`] : []),
  ];
}
