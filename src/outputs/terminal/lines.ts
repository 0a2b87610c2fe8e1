import { plain, formatMany } from '../../model/text.ts';
import { width, wrapBehind, type Style, styleFor } from './style.ts';

export type LineView = { name: string; state: 'ok' | 'warning' | 'failed'; text: string; advice?: string };

/** Lines of findings, with what to do below each that is not well. */
export function renderLines(lines: readonly LineView[], style: Style, wrapAt?: number): string[] {
  const widest = Math.max(0, ...lines.map((line) => width(line.name)));
  return lines.flatMap((line) => {
    const name = line.name + ' '.repeat(widest - width(line.name));
    const shown = wrapBehind(`  ${mark(line.state, style)}  ${name}  `, plain(line.text, 400), wrapAt);
    if (line.state === 'ok' || !line.advice) return shown;
    const arrow = `  ${' '.repeat(widest + 8)}${style.dim('->')} `;
    return [...shown, ...wrapBehind(arrow, plain(line.advice, 500), wrapAt)];
  });
}

function mark(state: LineView['state'], style: Style): string {
  if (state === 'failed') return style.bad('FAIL');
  return state === 'warning' ? style.warn('WARN') : style.good(' ok ');
}

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
