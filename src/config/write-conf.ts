import { isContinued, parseConf } from './parse-conf.ts';

/**
 * Pure: the text of a monitor.conf with these values. Every other line stays as it is; a key that is there is changed where
 * it counts (the last of several), one that is not is added at the end. Values are single-quoted, or double-quoted where they hold a
 * single quote: systemd, shells and Docker's --env-file as vpsmon reads it all understand that; others are refused.
 */
export function withSettings(text: string, values: Readonly<Record<string, string>>): string {
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  const lines = text === '' ? [] : text.replace(/(?:\r\n|\n|\r)$/, '').split(/\r\n|\n|\r/);
  const { entries } = parseConf(lines.join('\n'));
  const added: string[] = [];
  // From the bottom up, so that lines which a longer value took away do not move the ones that are still to be changed.
  const known = Object.entries(values)
    .map(([key, value]) => ({ key, value, entry: entries.findLast((entry) => entry.key === key) }))
    .toSorted((a, b) => (b.entry?.line ?? 0) - (a.entry?.line ?? 0));
  for (const { key, value, entry } of known) {
    const line = `${key}=${quoted(key, value)}`;
    if (!entry) added.push(line);
    else if (entry.value !== value) lines.splice(entry.line - 1, linesOf(lines, entry.line - 1), line);
  }
  // A last line that is to be continued would swallow the next one.
  const open = added.length > 0 && isContinued(lines.at(-1) ?? '') ? [''] : [];
  return [...lines, ...open, ...added, ''].join(eol);
}

/** True for what systemd, shells and Docker's --env-file read alike, in quotes of one kind or the other. */
export function canBeWritten(value: string): boolean {
  return !(value.includes("'") ? /["\\$`\r\n\0]/ : /[\\\r\n\0]/).test(value);
}

function quoted(key: string, value: string): string {
  if (/[\r\n\0]/.test(value) || (value.includes("'") && !canBeWritten(value)))
    throw new Error(`${key} must not hold a line break, nor a ' beside a ", $, \` or backslash`);
  return value.includes("'") ? `"${value}"` : `'${value}'`;
}

/** How many lines a setting takes: one that ends in an odd number of backslashes goes on in the next. */
function linesOf(lines: readonly string[], at: number): number {
  let count = 1;
  while (at + count < lines.length && isContinued(lines[at + count - 1]!)) count += 1;
  return count;
}
