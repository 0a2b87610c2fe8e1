import type { RecoveryReport } from '../../model/action.ts';
import { formatTime, plain, safeHtml } from '../../model/text.ts';

/** One line of recovery.log. */
export function recoveryLogLine(
  { severity, rule, target, text, details, logs }: RecoveryReport,
  now: number,
): string {
  const parts = [
    plain(text, 500),
    ...(details ?? []).map((detail) => plain(detail, 300)),
    ...(logs ?? []).map((line) => `log: ${plain(line, 300)}`),
  ];
  return `${formatTime(now)} [${severity.toUpperCase()}] ${rule} ${plain(target, 80)}: ${parts.join(' | ')}`;
}

/** The same as a Telegram message: what, with what result, why, how to undo it. */
export function recoveryHtml(
  { severity, text, details, logs }: RecoveryReport,
  hostname: string,
  now: number,
): string {
  const word = severity === 'info' ? '' : `, ${severity.toUpperCase()}`;
  const lines = [`<b>Recovery${word}</b> on ${safeHtml(hostname, 60)}`, '', boldTitle(safeHtml(text, 600))];
  for (const detail of details ?? []) lines.push(boldTitle(safeHtml(detail, 400)));
  if (logs && logs.length > 0) {
    lines.push('<b>Last log lines:</b>', `<pre>${logs.map((line) => safeHtml(line, 250)).join('\n')}</pre>`);
  }
  return [...lines, `<b>Time:</b> ${formatTime(now)}`].join('\n');
}

/** `Done: stop web` with its first word bold. */
function boldTitle(html: string): string {
  return html.replace(/^(Done|Failed|Not sure|Result|Why|Undo|A person is needed):/, '<b>$1:</b>');
}
