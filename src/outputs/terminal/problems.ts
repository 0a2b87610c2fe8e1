import { problemText } from '../../config/problem-text.ts';
import type { Problem } from '../../config/schema.ts';

/** A file that is something else altogether is wrong in every line. */
const MOST = 100;

/** One line a problem, errors first: `error: /etc/vpsmon/monitor.conf:12: LOG_LEVEL: expected ...`. */
export function renderProblems(problems: readonly Problem[], color = false): string {
  const rank = (p: Problem): number => (p.level === 'error' ? 0 : 1);
  const ordered = problems.toSorted(
    (a, b) => rank(a) - rank(b) || a.file.localeCompare(b.file) || (a.line ?? 0) - (b.line ?? 0),
  );
  const lines = ordered.slice(0, MOST).map((problem) => renderProblem(problem, color));
  if (ordered.length > MOST) lines.push(`... and ${ordered.length - MOST} more`);
  return lines.join('\n');
}

function renderProblem(problem: Problem, color: boolean): string {
  const { level } = problem;
  const label = color ? `\u001b[${level === 'error' ? 31 : 33}m${level}\u001b[0m` : level;
  return `${label}: ${problemText(problem)}`;
}
