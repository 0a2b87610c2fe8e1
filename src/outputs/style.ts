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
  // oxlint-disable-next-line no-control-regex -- colour codes take no room
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

export type Column = { title: string; align?: 'right' };

/** Aligned rows, two spaces apart; the last column is not padded. */
export function table(columns: Column[], rows: string[][], style: Style, indent = '  '): string[] {
  const widths = columns.map((column, i) =>
    Math.max(width(column.title), ...rows.map((row) => width(row[i] ?? ''))),
  );
  const line = (cells: string[]) =>
    indent +
    cells
      .map((cell, i) => {
        const room = ' '.repeat(Math.max(0, (widths[i] ?? 0) - width(cell)));
        if (columns[i]?.align === 'right') return room + cell;
        return i === columns.length - 1 ? cell : cell + room;
      })
      .join('  ')
      .trimEnd();
  return [style.dim(line(columns.map((column) => column.title))), ...rows.map(line)];
}
