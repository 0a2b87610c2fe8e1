import { renderUnicodeCompact } from 'uqr';

/** Modules of quiet zone around the code: ISO/IEC 18004 asks for four, phones are content with two. */
const BORDER = 2;

/**
 * A text of at most 100 letters as a QR code of half blocks, two modules a letter and line, with its quiet zone. With `color`, light
 * modules are drawn white on black, so that it is the same on every theme; without, a terminal with dark letters shows it inverted,
 * which phones read as well. undefined where `columns` are too few.
 */
export function qrCode(
  text: string,
  { color, columns }: { color: boolean; columns: number },
): string | undefined {
  const lines = renderUnicodeCompact(text, { border: BORDER }).split('\n');
  if ((lines[0]?.length ?? 0) > columns) return undefined;
  return lines.map((line) => (color ? `\u001b[97;40m${line}\u001b[0m` : line)).join('\n');
}
