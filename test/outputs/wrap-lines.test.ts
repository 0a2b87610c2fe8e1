import { expect, it } from 'vitest';
import { wrapLines } from '../../src/outputs/terminal/style.ts';

it('U17: breaks lines between words, keeps what is short, indented or one word, and everything where it is no terminal', () => {
  const long = 'The token is wrong or was revoked: BotFather shows the right one.';
  expect(wrapLines(`short\n  ${long}\n${'x'.repeat(50)}`, 40)).toBe(
    [
      'short',
      '  The token is wrong or was revoked:',
      '  BotFather shows the right one.',
      'x'.repeat(50),
    ].join('\n'),
  );
  expect(wrapLines(long)).toBe(long);
});

it('keeps a number with its unit', () => {
  expect(wrapLines('  memory and swap: 6.7 GB of 23.5 GB, 7 % more in 12 h', 36)).toBe(
    ['  memory and swap: 6.7 GB of', '  23.5 GB, 7 % more in 12 h'].join('\n'),
  );
  expect(wrapLines('what is wrong with 3 services, says doctor', 20)).toBe(
    ['what is wrong with 3', 'services, says', 'doctor'].join('\n'),
  );
});
