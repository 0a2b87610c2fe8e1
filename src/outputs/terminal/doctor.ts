import { renderLines, type LineView } from './lines.ts';
import { formatMany } from '../../model/text.ts';
import { styleFor } from './style.ts';

/** The whole examination: a line each, what to do below the ones that are not well, and a count. */
export function renderDoctor(lines: readonly LineView[], color: boolean, wrapAt?: number): string {
  const style = styleFor(color);
  const count = (state: LineView['state']) => lines.filter((line) => line.state === state).length;
  const failures = count('failed');
  const warnings = count('warning');
  const parts = [
    failures > 0 ? style.bad(`${failures} failed`) : '',
    warnings > 0 ? style.warn(formatMany(warnings, 'warning')) : '',
    `${count('ok')} ok`,
  ];
  const sum = failures + warnings === 0 ? style.good('All is well.') : parts.filter(Boolean).join(', ');
  return `${[...renderLines(lines, style, wrapAt), '', sum].join('\n')}\n`;
}
