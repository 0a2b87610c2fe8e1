import type { Problem } from '../config/schema.ts';
import { plain } from '../model/text.ts';

/** One line a problem, errors first: `error: /etc/vpsmon/monitor.conf:12: LOG_LEVEL: expected ...`. */
export function renderProblems(problems: readonly Problem[], color = false): string {
  const rank = (p: Problem): number => (p.level === 'error' ? 0 : 1);
  const ordered = problems.toSorted(
    (a, b) => rank(a) - rank(b) || a.file.localeCompare(b.file) || (a.line ?? 0) - (b.line ?? 0),
  );
  return ordered.map((problem) => renderProblem(problem, color)).join('\n');
}

function renderProblem(problem: Problem, color: boolean): string {
  const { level, file, line, key, text } = problem;
  const where = line === undefined ? plain(file) : `${plain(file)}:${line}`;
  const label = color ? `\u001b[${level === 'error' ? 31 : 33}m${level}\u001b[0m` : level;
  // "KEY: expected ..." but "KEY is not a setting ...": the sentences that begin with a verb go on after the key.
  const subject =
    key === undefined ? '' : /^(?:is|does|has) /.test(text) ? `${plain(key)} ` : `${plain(key)}: `;
  return `${label}: ${where}: ${subject}${plain(text, 600)}`;
}
