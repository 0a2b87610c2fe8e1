// The messages of the service monitor, as Telegram HTML. Fields, order and symbols are the ones people know from the first
// service monitor; what vpsmon knows beyond that (cause, how long, log lines) follows below the time.
import { formatBytes, formatDuration, formatTime, maskSecrets, plain, safeHtml } from '../model/text.ts';
import type { ContainerHealth, ContainerInfo, ContainerState } from '../model/snapshot.ts';
import { causeText } from './cause.ts';
import type { Death, Known } from './types.ts';

export type Field = [label: string, value: string];

/** Title, empty line, one line a field (values are escaped here), then blocks that are HTML already. */
export function message(
  symbol: string,
  title: string,
  fields: (Field | undefined)[],
  blocks: string[] = [],
): string {
  const lines = fields
    .filter((field) => field !== undefined)
    .map(([label, value]) => `${label}: ${safeHtml(value, 300)}`);
  return [`${symbol} <b>${safeHtml(title)}</b>`, '', ...lines, ...blocks].join('\n');
}

export function statusText(state: ContainerState): string {
  if (state === 'running') return '🟢 Running';
  if (state === 'restarting') return '🟡 Restarting';
  if (state === 'paused') return '🔴 Paused';
  return '🔴 Stopped';
}

export function healthText(health: ContainerHealth): string {
  return { healthy: 'Healthy', unhealthy: '🏥 Unhealthy', starting: 'Starting', none: 'Unknown' }[health];
}

export function shortId(id: string): string {
  return id.slice(0, 12);
}

/** Colours between a name and its value would hide the value from the masks, and so would the end of a cut line. */
export function masked(text: string, secrets: readonly string[]): string {
  return maskSecrets(plain(maskSecrets(text, secrets), 2000), secrets);
}

/** The last log lines of a container in a block, secrets masked. Nothing where there are none. */
export function logBlock(logs: string[] | undefined, secrets: readonly string[]): string[] {
  const lines = (logs ?? []).map((line) => logLine(masked(line, secrets))).filter((line) => line !== '');
  if (lines.length === 0) return [];
  return [`\nLast log lines:\n<pre>${lines.slice(-5).join('\n')}</pre>`];
}

/** Five of them and the fields always fit one message, even where every character is an escaped one. */
function logLine(line: string): string {
  const escaped = safeHtml(line, 240);
  return escaped.length <= 480 ? escaped : safeHtml(line, 80);
}

export function startedMessage(info: ContainerInfo, at: number): string {
  return message('🚀', 'Service Started', [
    ['Service', info.name],
    ['Status', '🟢 Running'],
    ['Container ID', shortId(info.id)],
    ['Time', formatTime(at)],
  ]);
}

type Stop = {
  name: string;
  restartCount: number;
  death: Death;
  next: string;
  deploy: boolean;
  /** Asked for as a restart or a deploy, which failed. */
  failed?: boolean;
  secrets: readonly string[];
};

export function stoppedMessage(stop: Stop): string {
  const { death } = stop;
  const asked = death.cause === 'request';
  const never = death.cause === 'unstarted';
  const title = asked && !stop.failed ? 'Service Stopped (on request)' : 'Service Stopped';
  return message(
    '🔴',
    never ? 'Service Did Not Start' : title,
    [
      ['Service', stop.name],
      ['Previous Status', never ? 'Created' : death.paused ? '🔴 Paused' : '🟢 Running'],
      ['Current Status', '🔴 Stopped'],
      ['Restart Count', String(stop.restartCount)],
      ['Time', formatTime(death.at)],
      ['Cause', causeText(death, { deploy: stop.deploy })],
      death.error ? ['Docker says', masked(death.error, stop.secrets)] : undefined,
      stop.next ? ['Next', stop.next] : undefined,
    ],
    asked ? [] : logBlock(death.logs, stop.secrets),
  );
}

export function notBackText({ info }: Known): string {
  return `It did not come back with Docker (restart policy: ${info.restartPolicy})`;
}

export function pausedMessage(info: ContainerInfo, at: number): string {
  return message('🔴', 'Service Stopped (paused on request)', [
    ['Service', info.name],
    ['Previous Status', '🟢 Running'],
    ['Current Status', '🔴 Paused'],
    ['Restart Count', String(info.restartCount)],
    ['Time', formatTime(at)],
    ['Cause', 'docker pause: its processes are frozen until docker unpause'],
  ]);
}

export function restoredMessage(
  info: ContainerInfo,
  at: number,
  was: { status: string; forMs: number; how: string },
): string {
  return message('✅', 'Service Restored', [
    ['Service', info.name],
    ['Previous Status', was.status],
    ['Current Status', statusText(info.state)],
    ['Restart Count', String(info.restartCount)],
    ['Time', formatTime(at)],
    [was.how, formatDuration(was.forMs)],
  ]);
}

export function restartingMessage(
  info: ContainerInfo,
  death: Death,
  was: { now: string; restarts24h: number; deploy: boolean; secrets: readonly string[] },
): string {
  return message(
    '🔄',
    'Service Restarting',
    [
      ['Service', info.name],
      ['Previous Status', '🟢 Running'],
      ['Current Status', '🟡 Restarting'],
      ['Restart Count', String(info.restartCount)],
      ['Time', formatTime(death.at)],
      ['Cause', causeText(death, { deploy: was.deploy })],
      ['Now', was.now],
      was.restarts24h > 1 ? ['Restarts in 24 h', String(was.restarts24h)] : undefined,
    ],
    logBlock(death.logs, was.secrets),
  );
}

type Malfunction = {
  info: ContainerInfo;
  at: number;
  death: Death;
  secrets: readonly string[];
  loop?: { count: number; minutes: number };
};

/** Malfunction, and its worse form, the restart loop. */
export function malfunctionMessage({ info, at, death, secrets, loop }: Malfunction): string {
  return message(
    '⚠️',
    loop ? 'Service Malfunction Detected: Restart Loop' : 'Service Malfunction Detected',
    [
      ['Service', info.name],
      ['Status', statusText(info.state)],
      ['Restart Count', `${Math.max(info.restartCount, loop?.count ?? 0)} (High)`],
      ['Health', healthText(info.health)],
      ['Time', formatTime(at)],
      ['Last death', causeText(death)],
      loop ? ['Restarts', `${loop.count} within ${loop.minutes} min`] : undefined,
    ],
    ['', '⚠️ Service is restarting frequently - possible malfunction!', ...logBlock(death.logs, secrets)],
  );
}

export function calmMessage(info: ContainerInfo, at: number, was: { quietMs: number }): string {
  return message('✅', 'Service Restored', [
    ['Service', info.name],
    ['Previous Status', '🟡 Restarting'],
    ['Current Status', statusText(info.state)],
    ['Restart Count', String(info.restartCount)],
    ['Time', formatTime(at)],
    ['Stable for', formatDuration(was.quietMs)],
  ]);
}

export function unhealthyMessage(
  info: ContainerInfo,
  check: {
    at: number;
    output?: string;
    logs?: string[];
    after?: 'redeployed' | 'restarted';
    secrets: readonly string[];
  },
): string {
  const output = check.output ? masked(check.output, check.secrets) : '';
  return message(
    '🏥',
    'Service Unhealthy',
    [
      ['Service', info.name],
      ['Status', statusText(info.state)],
      ['Health', '🏥 Unhealthy'],
      ['Container ID', shortId(info.id)],
      ['Time', formatTime(check.at)],
      output ? ['Health check says', output] : undefined,
      check.after ? ['Note', check.after === 'redeployed' ? 'just deployed' : 'just restarted'] : undefined,
    ],
    logBlock(check.logs, check.secrets),
  );
}

/** "180 -> 260 MB", "900 MB -> 1.1 GB" */
export function memoryText(before: number, after: number): string {
  const [from, to] = [formatBytes(before), formatBytes(after)];
  const [number, unit] = from.split(' ');
  return `${to.endsWith(` ${unit}`) ? number : from} -> ${to}`;
}

/** Name of a service in a line of its own. */
export function bold(name: string): string {
  return `<b>${safeHtml(name, 120)}</b>`;
}
