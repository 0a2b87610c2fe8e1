import { formatDuration, formatTime, plain } from '../../model/text.ts';
import { right, styleFor, table } from './style.ts';

export type SilenceView = {
  subject: string;
  since: number;
  until: number;
  reason: string;
  /** From vpsmon.yaml, not by hand. */
  scheduled: boolean;
};
export type WindowView = { subject: string; days: number[]; from: number; to: number; reason: string };

export const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** What is silenced now, and the windows that vpsmon.yaml gives. */
export function renderSilences(view: {
  silences: readonly SilenceView[];
  windows: readonly WindowView[];
  now: number;
  color: boolean;
}): string {
  const style = styleFor(view.color);
  const lines: string[] = [];
  if (view.silences.length === 0) lines.push('Nothing is silenced.');
  else {
    const rows = view.silences.map((silence) => [
      plain(silence.subject),
      formatTime(silence.until),
      formatDuration(silence.until - view.now),
      silence.scheduled ? 'vpsmon.yaml' : 'by hand',
      plain(silence.reason),
    ]);
    lines.push(...table(['SILENCED', 'UNTIL', right('LEFT'), 'FROM', 'REASON'], rows, style));
  }
  if (view.windows.length > 0) {
    lines.push('', style.bold('On a schedule (vpsmon.yaml)'));
    for (const window of view.windows) {
      const reason = window.reason === '' ? '' : `, ${plain(window.reason)}`;
      lines.push(`  ${plain(window.subject)}: ${windowText(window)}${reason}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** "Mon, Tue 22:00-06:00", "daily 02:00-03:00". */
function windowText({ days, from, to }: WindowView): string {
  const daily = days.length === 0 || days.length === 7;
  return `${daily ? 'daily' : days.map((day) => DAYS[day]).join(', ')} ${timeOf(from)}-${timeOf(to)}`;
}

/** "02:30", from minutes since midnight. */
export function timeOf(minutes: number): string {
  const two = (n: number) => String(n).padStart(2, '0');
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
