import type { Action } from '../model/action.ts';
import { formatDuration, formatTime, plain, safeHtml } from '../model/text.ts';
import { styleFor, table } from './style.ts';

type Said = {
  severity: 'info' | 'warning' | 'critical';
  rule: string;
  target: string;
  text: string;
  details?: string[];
};

/** One line of recovery.log. */
export function recoveryLogLine(said: Said, now: number): string {
  const details =
    said.details && said.details.length > 0 ? ` | ${said.details.map((d) => plain(d, 300)).join(' | ')}` : '';
  return `${formatTime(now)} [${said.severity.toUpperCase()}] ${said.rule} ${plain(said.target, 80)}: ${plain(said.text, 500)}${details}`;
}

/** The same as a Telegram message. */
export function recoveryHtml(said: Said, hostname: string): string {
  const title = said.severity === 'info' ? 'Recovery' : `Recovery, ${said.severity.toUpperCase()}`;
  const lines = [`<b>${title}</b> on ${safeHtml(hostname, 60)}`, '', safeHtml(said.text, 600)];
  for (const detail of said.details ?? []) lines.push(safeHtml(detail, 300));
  return lines.join('\n');
}

/** What `recover` prints as it goes. */
export function recoveryTerminal(said: Said, color: boolean): string {
  const style = styleFor(color);
  const label =
    said.severity === 'critical'
      ? style.bad('CRITICAL')
      : said.severity === 'warning'
        ? style.warn('WARNING ')
        : style.good('INFO    ');
  const lines = [`${label}  ${said.rule.padEnd(5)}  ${plain(said.text, 600)}`];
  for (const detail of said.details ?? []) lines.push(style.dim(`                 ${plain(detail, 300)}`));
  return lines.join('\n');
}

/** `recover history`. */
export function renderHistory(actions: Action[], color: boolean): string {
  const style = styleFor(color);
  if (actions.length === 0) return 'Recovery has done nothing in the last 30 days.';
  const rows = actions.map((a) => {
    const state =
      a.state === 'worked' || a.state === 'undone'
        ? style.good(a.state)
        : a.state === 'failed'
          ? style.bad(a.state)
          : style.warn(a.state);
    const took =
      a.endedAt !== undefined && a.state !== 'would-do' ? formatDuration(a.endedAt - a.startedAt) : '';
    return [
      String(a.id),
      formatTime(a.startedAt),
      a.rule,
      a.what,
      plain(a.target, 40),
      state,
      took,
      plain(a.result ?? a.why, 100),
    ];
  });
  const columns = ['ID', 'TIME', 'RULE', 'ACTION', 'TARGET', 'RESULT', 'TOOK', ''].map((title) => ({
    title,
  }));
  return table(columns, rows, style).join('\n');
}
