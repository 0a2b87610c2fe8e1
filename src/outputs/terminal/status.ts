import type { Severity } from '../../model/finding.ts';
import { formatDuration, formatTime, plain } from '../../model/text.ts';
import { renderLines, type LineView } from './lines.ts';
import { styleFor, wrapBehind } from './style.ts';

export type StatusView = {
  version: string;
  server: string;
  now: number;
  /** Units, the monitor's answer, delivery. */
  lines: LineView[];
  /** undefined: they could not be read, `lines` says why. */
  incidents?: { id: number; severity: Severity; text: string; openedAt: number }[];
  color: boolean;
  wrapAt?: number | undefined;
};

const MOST_INCIDENTS = 15;

/** How it goes, at one glance. */
export function renderStatus(view: StatusView): string {
  const style = styleFor(view.color);
  const lines = [
    `${style.bold(plain(view.server, 60))}  vpsmon ${view.version}, ${formatTime(view.now)}`,
    '',
    ...renderLines(view.lines, style, view.wrapAt),
  ];
  if (view.incidents) {
    lines.push(
      '',
      style.bold(
        view.incidents.length === 0 ? 'No open incidents.' : `Open incidents (${view.incidents.length})`,
      ),
    );
    for (const incident of view.incidents.slice(0, MOST_INCIDENTS)) {
      const paint =
        incident.severity === 'critical'
          ? style.bad
          : incident.severity === 'warning'
            ? style.warn
            : style.dim;
      const about = `(#${incident.id}, for ${formatDuration(view.now - incident.openedAt)})`;
      lines.push(
        ...wrapBehind(
          `  ${paint(incident.severity.toUpperCase().padEnd(8))}  `,
          `${plain(incident.text, 200)} ${style.dim(about)}`,
          view.wrapAt,
        ),
      );
    }
    if (view.incidents.length > MOST_INCIDENTS)
      lines.push(style.dim(`  and ${view.incidents.length - MOST_INCIDENTS} more: vpsmon incidents`));
  }
  return `${lines.join('\n')}\n`;
}
