import type { Problem } from '../config/schema.ts';
import { plain } from '../model/text.ts';

/** One line a problem, errors first: `error: /etc/vpsmon/monitor.conf:12: LOG_LEVEL: expected ...`. */
export function renderProblems(problems: readonly Problem[], color = false): string {
  const errors = problems.filter((p) => p.level === 'error');
  const warnings = problems.filter((p) => p.level === 'warning');
  return [...errors, ...warnings].map((problem) => renderProblem(problem, color)).join('\n');
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
