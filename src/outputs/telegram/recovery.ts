import type { Action } from '../../model/action.ts';
import { formatDuration, formatTime, plain, safeHtml } from '../../model/text.ts';
import { styleFor, table, tableAbove, width, wrapBehind, type Style } from '../terminal/style.ts';

type Said = {
  severity: 'info' | 'warning' | 'critical';
  rule: string;
  target: string;
  text: string;
  details?: string[];
  logs?: string[];
};
type Result = {
  rule: string;
  found: string;
  attempts: { done: string; id?: number; text: string }[];
  failed?: boolean;
};

/** One line of recovery.log. */
export function recoveryLogLine({ severity, rule, target, text, details, logs }: Said, now: number): string {
  const parts = [
    plain(text, 500),
    ...(details ?? []).map((detail) => plain(detail, 300)),
    ...(logs ?? []).map((line) => `log: ${plain(line, 300)}`),
  ];
  return `${formatTime(now)} [${severity.toUpperCase()}] ${rule} ${plain(target, 80)}: ${parts.join(' | ')}`;
}

/** The same as a Telegram message: what, with what result, why, how to undo it. */
export function recoveryHtml({ severity, text, details, logs }: Said, hostname: string, now: number): string {
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

/** What `recover` prints as it goes. */
export function recoveryTerminal(
  { severity, rule, text, details, logs }: Said,
  { color, wrapAt }: { color: boolean; wrapAt?: number | undefined },
): string {
  const style = styleFor(color);
  const paint = { info: style.good, warning: style.warn, critical: style.bad }[severity];
  const under = ' '.repeat(18);
  return [
    ...wrapBehind(
      `${paint(severity.toUpperCase().padEnd(8))}  ${rule.padEnd(6)}  `,
      plain(text, 600),
      wrapAt,
    ),
    ...(details ?? []).flatMap((detail) => wrapBehind(under, plain(detail, 400), wrapAt)),
    ...(logs ?? []).map((line) => style.dim(`${under}| ${plain(line, 300)}`)),
  ].join('\n');
}

/** What a rule found, the last thing that `recover` prints about it. */
export function foundLines(rule: string, found: string, wrapAt?: number): string {
  return wrapBehind(`${rule.padEnd(6)} `, plain(found, 500), wrapAt).join('\n');
}

/** The documented shape of `recover --json`. */
export function resultToJson(run: {
  dryRun: boolean;
  enabled: boolean;
  results: readonly Result[];
  said: readonly Said[];
}): unknown {
  return {
    version: 1,
    dry_run: run.dryRun,
    enabled: run.enabled,
    results: run.results.map(({ rule, found, attempts, failed }) => ({
      rule,
      found: plain(found, 1000),
      failed: failed === true,
      attempts: attempts.map(({ done, id, text }) => ({ done, action: id ?? null, text: plain(text, 1000) })),
    })),
    said: run.said.map(({ severity, rule, target, text, details, logs }) => ({
      severity,
      rule,
      target,
      text,
      details: details ?? [],
      logs: logs ?? [],
    })),
  };
}

/** The documented shape of `recover history --json`: newest first, times in ISO 8601. */
export function historyToJson(actions: readonly Action[]): unknown {
  const iso = (at: number | undefined) => (at === undefined ? null : new Date(at).toISOString());
  return {
    version: 1,
    actions: actions.map((action) => ({
      id: action.id,
      rule: action.rule,
      action: action.what,
      target: action.target,
      state: action.state,
      why: action.why,
      result: action.result ?? null,
      started_at: iso(action.startedAt),
      ended_at: iso(action.endedAt),
      undone_at: iso(action.undoneAt),
      undoes: action.undoes ?? [],
    })),
  };
}

/** `recover history`. */
export function renderHistory(
  actions: readonly Action[],
  { color, columns, wrapAt }: { color: boolean; columns: number; wrapAt?: number | undefined },
): string {
  const style = styleFor(color);
  if (actions.length === 0) return 'Recovery has done nothing in the last 30 days.\n';
  const titles = ['ID', 'TIME', 'RULE', 'ACTION', 'TARGET', 'RESULT', 'TOOK', ''].map((title) => ({ title }));
  const rows = actions.map((a) => [
    String(a.id),
    formatTime(a.startedAt),
    a.rule,
    a.what,
    plain(a.target, 40),
    stateText(a.state, style),
    a.endedAt !== undefined && a.state !== 'would-do' ? formatDuration(a.endedAt - a.startedAt) : '',
    plain(a.result ?? a.why, 400),
  ]);
  const used = titles
    .slice(0, -1)
    .reduce(
      (sum, { title }, i) => sum + 2 + Math.max(title.length, ...rows.map((row) => width(row[i] ?? ''))),
      2,
    );
  if (wrapAt !== undefined && wrapAt - used < 40) {
    // The target goes below, too, where the text does not begin with it anyway.
    const narrow = rows.map(([id, time, rule, what, target, state, took, text]) => [
      id!,
      time!,
      rule!,
      what!,
      state!,
      took!,
      text!.startsWith(target!) ? text! : `${target}: ${text}`,
    ]);
    return [
      ...tableAbove(
        titles.filter(({ title }) => title !== 'TARGET'),
        narrow,
        style,
        wrapAt,
      ),
      '',
    ].join('\n');
  }
  const room = Math.max(40, columns - used);
  for (const row of rows) row[7] = plain(row[7] ?? '', room);
  return [...table(titles, rows, style), ''].join('\n');
}

function stateText(state: Action['state'], style: Style): string {
  if (state === 'worked' || state === 'undone') return style.good(state);
  return state === 'failed' ? style.bad(state) : style.warn(state);
}
