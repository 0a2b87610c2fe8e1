import type { Action, RecoveryReport } from '../../model/action.ts';
import { formatDuration, formatTime, isoTime, plain } from '../../model/text.ts';
import { styleFor, table, tableAbove, widthBeforeLast, wrapBehind, type Style } from './style.ts';

type Result = {
  rule: string;
  found: string;
  attempts: { done: string; id?: number; text: string }[];
  heldMs?: number;
  failed?: boolean;
};

/** What `recover` prints as it goes. */
export function recoveryTerminal(
  { severity, rule, text, details, logs }: RecoveryReport,
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
  reported: readonly RecoveryReport[];
}): unknown {
  return {
    version: 1,
    dry_run: run.dryRun,
    enabled: run.enabled,
    results: run.results.map(({ rule, found, attempts, heldMs, failed }) => ({
      rule,
      found: plain(found, 1000),
      failed: failed === true,
      held_seconds: heldMs === undefined ? null : heldMs / 1000,
      attempts: attempts.map(({ done, id, text }) => ({ done, action: id ?? null, text: plain(text, 1000) })),
    })),
    said: run.reported.map(({ severity, rule, target, text, details, logs }) => ({
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
      started_at: isoTime(action.startedAt),
      ended_at: isoTime(action.endedAt),
      undone_at: isoTime(action.undoneAt),
      undoes: action.undoes ?? [],
    })),
  };
}

/** `recover history`. */
export function renderHistory(
  actions: readonly Action[],
  { color, wrapAt }: { color: boolean; wrapAt?: number | undefined },
): string {
  const style = styleFor(color);
  if (actions.length === 0) return 'Recovery has done nothing in the last 30 days.\n';
  const titles = ['ID', 'TIME', 'RULE', 'ACTION', 'TARGET', 'RESULT', 'TOOK', ''];
  const rows = actions.map((a) => [
    String(a.id),
    formatTime(a.startedAt),
    a.rule,
    a.what,
    plain(a.target),
    stateText(a.state, style),
    a.endedAt !== undefined && a.state !== 'would-do' ? formatDuration(a.endedAt - a.startedAt) : '',
    plain(a.result ?? a.why, 400),
  ]);
  const used = widthBeforeLast(titles, rows);
  const longest = Math.max(...rows.map((row) => row.at(-1)!.length));
  if (wrapAt !== undefined && wrapAt - used < Math.max(40, longest)) {
    // The target goes below, too, where the text does not begin with it anyway.
    const target = titles.indexOf('TARGET');
    const narrow = rows.map((row) => {
      const text = row.at(-1)!.startsWith(row[target]!) ? row.at(-1)! : `${row[target]}: ${row.at(-1)}`;
      return [...row.toSpliced(target, 1).slice(0, -1), text];
    });
    return [...tableAbove(titles.toSpliced(target, 1), narrow, style, wrapAt), ''].join('\n');
  }
  return [...table(titles, rows, style), ''].join('\n');
}

function stateText(state: Action['state'], style: Style): string {
  if (state === 'worked' || state === 'undone' || state === 'kept') return style.good(state);
  return state === 'failed' ? style.bad(state) : style.warn(state);
}
