import { describe, expect, it } from 'vitest';
import { parseConf } from '../../src/config/parse-conf.ts';
import { withSettings } from '../../src/config/write-conf.ts';

describe('withSettings', () => {
  it.each<[string, string, Record<string, string>, string]>([
    ['a new file', '', { A: '1' }, "A='1'\n"],
    ['a key that is missing', '# x\nB=2\n', { A: '1' }, "# x\nB=2\nA='1'\n"],
    ['a last line without an end', 'B=2', { A: '1' }, "B=2\nA='1'\n"],
    ['a key that is there', 'A="0" # why\nB=2\n', { A: '1' }, "A='1'\nB=2\n"],
    ['a value that stays', 'A="1" # why\n', { A: '1' }, 'A="1" # why\n'],
    ['the one of several that counts', 'A=8\nA=9\n', { A: '1' }, "A=8\nA='1'\n"],
    ['a value of two lines', 'A=x\\\ny\nB=2\n', { A: '1', B: '3' }, "A='1'\nB='3'\n"],
    ['a comment that looks like it', '#A=0\n', { A: '1' }, "#A=0\nA='1'\n"],
    ['a single quote', '', { A: "Bob's büro 🥐" }, `A="Bob's büro 🥐"\n`],
    ['lines of Windows', 'B=2\r\nA=0\r\n', { A: '1' }, "B=2\r\nA='1'\r\n"],
  ])('%s', (_name, text, values, expected) => {
    const written = withSettings(text, values);
    expect(written).toBe(expected);
    const read = Object.fromEntries(parseConf(written).entries.map(({ key, value }) => [key, value]));
    expect(read).toMatchObject(values);
  });

  it('refuses what a line cannot hold', () => {
    expect(() => withSettings('', { A: `it's "x"` })).toThrow('A must not hold');
    expect(() => withSettings('', { A: "it's $5" })).toThrow('A must not hold');
    expect(() => withSettings('', { A: 'x\nB=2' })).toThrow('A must not hold');
  });
});

it('a last line that is to be continued does not swallow what is added, nor does a lone carriage return move lines', () => {
  const set = (text: string) =>
    parseConf(withSettings(text, { TELEGRAM_CHAT_ID: '-100' })).entries.map(
      ({ key, value }) => `${key}=${value}`,
    );
  expect(set('LOG_LEVEL=INFO\\')).toEqual(['LOG_LEVEL=INFO', 'TELEGRAM_CHAT_ID=-100']);
  expect(set('LOG_LEVEL=INFO\r\\\r')).toContain('TELEGRAM_CHAT_ID=-100');
  expect(set('LOG_LEVEL=INFO\rTELEGRAM_CHAT_ID=5\rREDIS_PORT=1')).toEqual([
    'LOG_LEVEL=INFO',
    'TELEGRAM_CHAT_ID=-100',
    'REDIS_PORT=1',
  ]);
});
