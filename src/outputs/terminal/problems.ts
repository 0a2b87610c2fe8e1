import type { Problem } from '../../config/schema.ts';
import { plain } from '../../model/text.ts';

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
  const { level, file, line, key, text } = problem;
  const where = line === undefined ? plain(file) : `${plain(file)}:${line}`;
  const label = color ? `\u001b[${level === 'error' ? 31 : 33}m${level}\u001b[0m` : level;
  // "KEY: expected ..." but "KEY is not a setting ...": a sentence that begins with a verb goes on after its subject.
  const goesOn = /^(?:is|does|has|may|cannot) /.test(text) ? ' ' : ': ';
  const subject = key === undefined && line === undefined ? where : `${where}: ${plain(key ?? '')}`;
  const middle = key === undefined && line !== undefined ? '' : goesOn;
  return `${label}: ${subject}${middle}${plain(text, 600)}`;
}
