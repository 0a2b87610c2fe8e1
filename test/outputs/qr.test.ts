import { encode } from 'uqr';
import { expect, it } from 'vitest';
import { qrCode } from '../../src/outputs/terminal/qr.ts';

const LINK = 'https://t.me/a_bot_with_a_long_name_of_32_chars?start=U5kKcw9KHTLF';
const wide = { color: false, columns: 80 };

/** The dark modules that a drawing shows, row by row: the blocks are the light ones. */
function modules(drawing: string): boolean[][] {
  return drawing
    .split('\n')
    .flatMap((line) => [
      [...line].map((letter) => letter === ' ' || letter === '▄'),
      [...line].map((letter) => letter === ' ' || letter === '▀'),
    ]);
}

it('draws every module of the code with a quiet zone of two, in 80 columns', () => {
  const drawing = qrCode(LINK, wide)!;
  const { data, size } = encode(LINK, { border: 2 });
  const shown = modules(drawing);
  expect(shown.slice(0, size)).toEqual(data);
  expect(shown.slice(0, 2).flat()).not.toContain(true);
  expect(Math.max(...drawing.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
});

it('says white and black itself where there are colours, so that a light theme does not invert it', () => {
  const lines = qrCode(LINK, { ...wide, color: true })!.split('\n');
  expect(lines.every((line) => line.startsWith('\u001b[97;40m') && line.endsWith('\u001b[0m'))).toBe(true);
});

it('is left out where the terminal is too narrow', () => {
  expect(qrCode(LINK, { color: false, columns: 20 })).toBeUndefined();
});
