// The form of the messages about services: a title, an empty line, one line a field.
import type { ContainerHealth, ContainerState } from '../../model/snapshot.ts';
import { safeHtml } from '../../model/text.ts';

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

export function statusText(state: ContainerState | 'missing'): string {
  if (state === 'running') return '🟢 Running';
  if (state === 'restarting') return '🟡 Restarting';
  if (state === 'paused') return '🔴 Paused';
  return '🔴 Stopped';
}

export function healthText(health: ContainerHealth): string {
  return { healthy: 'Healthy', unhealthy: '🏥 Unhealthy', starting: 'Starting', none: 'Unknown' }[health];
}

/** Name of a service in a line of its own. */
export function bold(name: string): string {
  return `<b>${safeHtml(name, 120)}</b>`;
}

/** One line, escaped; what stands between backticks is shown as code, which a phone copies with one touch. */
export function withCode(text: string, max = 200): string {
  return safeHtml(text, max).replace(/`([^`]+)`/g, '<code>$1</code>');
}
