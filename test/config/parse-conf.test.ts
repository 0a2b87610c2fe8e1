import { expect, test } from 'vitest';
import { parseConf } from '../../src/config/parse-conf.ts';
import { expectLinear } from '../helpers/cost.ts';

/** The value of K in a file with this one line. */
function valueOf(line: string): string | undefined {
  return parseConf(line).entries.find(({ key }) => key === 'K')?.value;
}

test.each([
  // What systemd.exec(5) says under EnvironmentFile=, comments behind a value aside.
  ['K=value', 'value'],
  ['K="value"', 'value'],
  ["K='value'", 'value'],
  ['  K = value  ', 'value'],
  ['export K=value', 'value'],
  ['export\tK="value"', 'value'],
  ['K=', ''],
  ['K=""', ''],
  ['K="  "', '  '],
  ['K="two words"', 'two words'],
  ['K=two words', 'two words'],
  ['K=30          # Check every 30 seconds', '30'],
  ['K="30"   # comment', '30'],
  ['K=   # nothing', ''],
  ['K=pass#word', 'pass#word'],
  ['K=#word', '#word'],
  ['K="pass # word"', 'pass # word'],
  ['K=a=b=c', 'a=b=c'],
  ["K=it's", "it's"],
  ['K=say "hi"', 'say "hi"'],
  ['K="a\\"b"', 'a"b'],
  ['K="a\\\\b"', 'a\\b'],
  ['K="a\\$b\\`"', 'a$b`'],
  ['K="a\\nb"', 'a\\nb'],
  ["K='a\\nb'", 'a\\nb'],
  ["K='a\"b'", 'a"b'],
  ['K="a"b', 'ab'],
  ['K="a"\'b\'', 'ab'],
  ['K=a\\ b', 'a b'],
  ['K=$HOME', '$HOME'],
  ['K=one,\\\ntwo', 'one,two'],
  ['K="one,\\\ntwo"', 'one,two'],
  ['K=one\\\\', 'one\\'],
  ['K=value\r', 'value'],
  ['K=größe', 'größe'],
])('%j', (line, value) => {
  expect(valueOf(line)).toBe(value);
});

test('comments, blank lines and every kind of line end', () => {
  const text = '# a\r\n; b\r\n\r\n   \n  # c \\\nA=1\r\nB=2\rC=3\n# last \\';
  const { entries, problems } = parseConf(text);
  expect(problems).toEqual([]);
  expect(entries).toEqual([
    { key: 'A', value: '1', line: 6 },
    { key: 'B', value: '2', line: 7 },
    { key: 'C', value: '3', line: 8 },
  ]);
});

test('a line that goes on keeps the numbers of the lines after it', () => {
  const { entries } = parseConf('A=1\\\n2\\\n3\nB=4');
  expect(entries).toEqual([
    { key: 'A', value: '123', line: 1 },
    { key: 'B', value: '4', line: 4 },
  ]);
});

test('a missing quote costs its own line only', () => {
  const { entries, problems } = parseConf('A="1\nB=2\nC=\'3\nD=4');
  expect(entries.map(({ key }) => key)).toEqual(['B', 'D']);
  expect(problems.map(({ line, key }) => [line, key])).toEqual([
    [1, 'A'],
    [3, 'C'],
  ]);
});

test('a problem never quotes the line', () => {
  const secret = 'hunter2hunter2';
  const lines = [
    secret,
    `"${secret}"`,
    `K="${secret}`,
    `K="a" ${secret}`,
    `${secret} = 3 4`,
    `:${secret}`,
    `${secret}: x`,
  ];
  for (const line of lines) {
    expect(JSON.stringify(parseConf(line).problems)).not.toContain(secret);
  }
});

test('whatever stands in the file is read in proportion to its length', () => {
  for (const piece of ['\\\n', 'A=\\', '"', "'", '\\', 'A=1\n', ' ', '#', 'A="\\', '= #', '\\\\\n']) {
    expectLinear((times) => void parseConf(piece.repeat(times)), 8000, piece);
    expectLinear((times) => void parseConf(`K=${piece.repeat(times)}`), 8000, `K=${piece}`);
  }
});
