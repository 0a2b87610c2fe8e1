/** Colours and columns for the terminal; without colour the same text. */
export type Style = {
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  warn(text: string): string;
  bad(text: string): string;
};

export function styleFor(color: boolean): Style {
  const paint = (code: string) => (text: string) =>
    color && text !== '' ? `\u001b[${code}m${text}\u001b[0m` : text;
  return { bold: paint('1'), dim: paint('2'), good: paint('32'), warn: paint('33'), bad: paint('1;31') };
}

/** Width on a terminal: emoji and CJK take two cells, combining marks none. */
export function width(text: string): number {
  let cells = 0;
  // oxlint-disable-next-line no-control-regex -- colour codes have no width
  for (const { segment } of new Intl.Segmenter().segment(text.replace(/\u001b\[[0-9;]*m/g, ''))) {
    cells +=
      /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/u.test(
        segment,
      )
        ? 2
        : 1;
  }
  return cells;
}

/** A number stays with its unit. */
const BETWEEN_WORDS = /(?<!\d) | (?!(?:[KMGT]?B|%|h|min|s|ms)(?![a-z0-9]))/i;

/** Broken between words into lines of this many cells; a word that is longer keeps its line. */
export function wrap(text: string, cells = Infinity): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of cells === Infinity ? [text] : text.split(BETWEEN_WORDS)) {
    if (line !== '' && width(line) + 1 + width(word) > cells) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** The same with what stands before the first line, and as many spaces before the others. Nowhere narrower than 30 cells. */
export function wrapBehind(head: string, text: string, columns = Infinity): string[] {
  const indent = width(head);
  return wrap(text, Math.max(20, columns - indent)).map(
    (line, i) => (i === 0 ? head : ' '.repeat(indent)) + line,
  );
}

/** Lines that are longer than this are broken between words, and go on below their first word. */
export function wrapLines(text: string, columns = Infinity): string {
  return text
    .split('\n')
    .flatMap((line) => {
      if (width(line) <= columns) return [line];
      const [indent = ''] = /^ */.exec(line) ?? [];
      return wrapBehind(indent, line.slice(indent.length), columns);
    })
    .join('\n');
}

/** The title of a column; of numbers, its cells stand at the right. */
export type Column = string | { title: string; align: 'right' };

export function right(title: string): Column {
  return { title, align: 'right' };
}

export function titleOf(column: Column): string {
  return typeof column === 'string' ? column : column.title;
}

function widthsOf(columns: readonly Column[], rows: readonly string[][]): number[] {
  return columns.map((column, i) =>
    Math.max(width(titleOf(column)), ...rows.map((row) => width(row[i] ?? ''))),
  );
}

/** How many cells a table takes before its last column, with indent and gaps. */
export function widthBeforeLast(columns: readonly Column[], rows: readonly string[][]): number {
  return widthsOf(columns.slice(0, -1), rows).reduce((sum, cells) => sum + cells + 2, 2);
}

/** Aligned rows, two spaces apart; the last column is not padded. */
export function table(columns: Column[], rows: string[][], style: Style, indent = '  '): string[] {
  const widths = widthsOf(columns, rows);
  const line = (cells: string[]) =>
    indent +
    cells
      .map((cell, i) => {
        const padding = ' '.repeat(Math.max(0, (widths[i] ?? 0) - width(cell)));
        if (typeof columns[i] === 'object') return padding + cell;
        return i === columns.length - 1 ? cell : cell + padding;
      })
      .join('  ')
      .trimEnd();
  return [style.dim(line(columns.map(titleOf))), ...rows.map(line)];
}

/** For a narrow terminal: the last cell of each row stands below the others, broken between words. */
export function tableAbove(columns: Column[], rows: string[][], style: Style, wrapAt: number): string[] {
  const [head, ...lines] = table(
    columns.slice(0, -1),
    rows.map((row) => row.slice(0, -1)),
    style,
  );
  return [head!, ...lines.flatMap((line, i) => [line, ...wrapBehind('      ', rows[i]!.at(-1)!, wrapAt)])];
}
