import { describe, expect, it } from 'vitest';
import {
  masked,
  escapeHtml,
  formatBytes,
  formatDuration,
  maskSecrets,
  plain,
  safeHtml,
} from '../../src/model/text.ts';
import { safeJson } from '../../src/model/invisible.ts';
import { expectLinear } from '../helpers/cost.ts';

describe('plain', () => {
  it('takes out what could move the cursor, turn text around or break a line', () => {
    expect(plain('a\u001b[31mred\u001b[0m\nb\u202Ec\u0000d')).toBe('ared bcd');
  });
  it('cuts at whole characters', () => {
    expect(plain('😀😀😀😀', 3)).toBe('😀😀…');
    expect(plain('\ud83d', 3)).toBe('\ufffd');
  });
});

describe('escapeHtml', () => {
  it('escapes what Telegram takes for a tag or an entity', () => {
    expect(escapeHtml('<b>&"')).toBe('&lt;b&gt;&amp;&quot;');
    expect(safeHtml('<i>\n')).toBe('&lt;i&gt;');
  });
});

describe('maskSecrets', () => {
  const cases: [string, string][] = [
    ['GET /bot1234567890:ABCdefGHIjklMNOpqrsTUVwxyz_123456789/getMe', 'GET /bot***/getMe'],
    ['postgres://app:s3cret@db:5432/x', 'postgres://app:***@db:5432/x'],
    ['REDIS_PASSWORD=hunter2 ok', 'REDIS_PASSWORD=*** ok'],
    ['{"apiKey": "abc123", "a": 1}', '{"apiKey": "***", "a": 1}'],
    ['Authorization: Bearer abcdefgh12345', 'Authorization: ***'],
    ['postgres://app:p@ss@db:5432/x', 'postgres://app:***@db:5432/x'],
    ['DB_PASS=foo bar', 'DB_PASS=*** bar'],
    ['{"pass":"abc","a":1}', '{"pass":"***","a":1}'],
    ['{\\"password\\":\\"abc\\"}', '{\\"password\\":\\"***\\"}'],
    ['password = "a b c" ok', 'password = "***" ok'],
    ["password: 'it is' ok", "password: '***' ok"],
    ['backup --password hunter3 --verbose', 'backup --password *** --verbose'],
    ['redis-server --requirepass foobared', 'redis-server --requirepass ***'],
    ['requirepass foobared', 'requirepass ***'],
    ['authorization: Token abcdef', 'authorization: ***'],
    ['Proxy-Authorization: Basic dXNlcjpwYXNz', 'Proxy-Authorization: ***'],
    ['the api key: 123', 'the api key: ***'],
    ['bypass: 3, compass: north', 'bypass: 3, compass: north'],
    ['--password-file /run/x', '--password-file /run/x'],
    ['nothing to hide', 'nothing to hide'],
  ];
  it.each(cases)('%s', (text, expected) => expect(maskSecrets(text)).toBe(expected));

  it('of two secrets of which one begins with the other, leaves nothing', () => {
    expect(maskSecrets('x Passw0rd-x-and-more', ['Passw0rd-x', 'Passw0rd-x-and-more'])).toBe('x ***');
  });
  it('masks known values, also as they stand in a URL', () => {
    expect(maskSecrets('pw is p@ss/word, or p%40ss%2Fword', ['p@ss/word'])).toBe('pw is ***, or ***');
  });
  it.each([
    // Where a credential stands, however short and plain it is.
    ['a', 'db_pw=a, a cat; PIN: "a"', 'db_pw=***, a cat; PIN: "***"'],
    [
      '1',
      '1 of 3 retries: 1, --password 1, redis://:1@h:1/1',
      '1 of 3 retries: 1, --password *** redis://:***@h:1/1',
    ],
    ['yes', 'it says yes, auth=yes', 'it says yes, auth=***'],
    [
      'redis',
      "Redis at redis:6379 refused 'redis', login: redis",
      "Redis at redis:6379 refused '***', login: ***",
    ],
    ['é', 'café, pass=é', 'café, pass=***'],
    ['.*', 'a .* b, pw=.*', 'a .* b, pw=***'],
    // A short one by itself, not within other words.
    ['a1b2', 'got a1b2, not xa1b2y', 'got ***, not xa1b2y'],
    ['n8n!', 'n8n! and n8n and n8n-worker', '*** and n8n and n8n-worker'],
    [
      'postgres',
      'PostgreSQL refuses postgres, see postgresql.conf',
      'PostgreSQL refuses ***, see postgresql.conf',
    ],
    ['$x(y)z', 'a$x(y)z', 'a***'],
    // A long one anywhere.
    ['Hunter2fox', 'xxHunter2foxyy', 'xx***yy'],
  ])('known value %s: does not leak, and mangles no sentence', (secret, text, expected) => {
    expect(maskSecrets(text, [secret])).toBe(expected);
  });
  it('takes time in proportion to hostile text', () => {
    for (const hostile of [
      (n: number) => 'a_'.repeat(n),
      (n: number) => 'x://' + 'a'.repeat(n),
      (n: number) => 'password '.repeat(n),
      (n: number) => 'eyJ'.repeat(n),
      (n: number) => '--password '.repeat(n),
      (n: number) => 'password="' + 'a '.repeat(n),
      (n: number) => `x://:${'@a'.repeat(n)}`,
      (n: number) => 'authorization: '.repeat(n),
    ])
      expectLinear((size) => maskSecrets(hostile(size)), 5000, hostile(2));
  });
});

describe('formats', () => {
  it.each([
    [0, '0 B'],
    [512 * 1024, '512 KB'],
    [87 * 1_048_576, '87 MB'],
    [1.9 * 1_073_741_824, '1.9 GB'],
    [1023 * 1_048_576, '1 GB'],
    [-5 * 1_048_576, '-5 MB'],
  ])('%d bytes', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
  it.each([
    [400, '0.4 s'],
    [22_000, '22 s'],
    [200_000, '3 min 20 s'],
    [3_600_000, '1 h'],
    [7_500_000, '2 h 5 min'],
    [273_600_000, '3 d 4 h'],
  ])('%d ms', (ms, text) => expect(formatDuration(ms)).toBe(text));
});

it.each([
  ['10%\u001b[2K\u001b[1G100%', '100%'],
  ['10%\u001b[G100%', '100%'],
  ['layer 1%\u001b[1000Dlayer 80%', 'layer 80%'],
  ['frame 1\u001b[?25l\u001b[1;1Hframe 2', 'frame 2'],
  ['frame 1\u001b[2J\u001b[Hframe 2', 'frame 2'],
])('S16: the last state of a line that is drawn over with cursor movements: %j', (line, shown) => {
  expect(masked(line, [])).toBe(shown);
});

it.each(['token\u001b[1G=abc123secret', 'token=abc1\u001b[G23secret', 'my\u001b[1000Dsecret-value'])(
  'S3: a cursor movement within a secret hides no part of it: %j',
  (line) => {
    expect(masked(line, ['mysecret-value'])).not.toMatch(/secret|abc1/);
  },
);

const SEEN_BY_NOBODY = [
  '\u2028',
  '\u2029',
  '\u0085',
  '\u200b',
  '\u200d',
  '\u00ad',
  '\u202e',
  '\u2066',
  '\ufeff',
  '\u{e0041}',
];
it.each(SEEN_BY_NOBODY)('S3: %j within a secret or its line shows no part of it', (c) => {
  const secret = 'hunter/Secret99';
  const odd = `hunter${c}/Secret99${c}`;
  const lines = [
    [`boom hunter${c}/Secret99 end`, secret],
    [`boom ${odd} end`, odd],
    [`boom ${secret} end`, odd],
    [`boom ${JSON.stringify(odd)} end`, odd],
    [`boom ${encodeURIComponent(odd)} end`, odd],
    [`pass${c}word${c}=${c}hunter${c}/Secret99 end`, ''],
    [`Authorization: Bearer${c} hunter${c}/Secret99 end`, ''],
    [`postgres://app:hunter${c}Secret99@db/x`, ''],
  ];
  for (const [line = '', known = ''] of lines) expect(masked(line, [known])).not.toMatch(/hunter|Secret99/);
});

it('S3: a line that Unicode separates is masked as a line of its own, too', () => {
  expect(masked('ready\u2028AUTH hunterSecret', [])).toBe('ready AUTH ***');
});

it('S3: a known secret goes as other programs write it: a form, JSON in ASCII, its lines, without the line feed of its file', () => {
  const lines: [string, string][] = [
    ['p\u00e4ss w!rd 99', 'p%C3%A4ss+w%21rd+99'],
    ['p\u00e4ssw\u00f6rd99', String.raw`p\u00e4ssw\u00f6rd99`],
    ['p\u00e4ssw\u00f6rd99', String.raw`p\u00E4ssw\u00F6rd99`],
    ['first line of it\nsecond line of it', 'second line of it'],
    ['first line of it\nsecond line of it', 'first line of it second line of it'],
    ['hunterSecret99\n', 'hunterSecret99'],
  ];
  for (const [secret, written] of lines) expect(masked(`boom ${written} end`, [secret])).toBe('boom *** end');
});

it('S3: JSON has no character that moves a cursor, breaks a line, hides or turns the text around, and the same values', () => {
  const value = { name: SEEN_BY_NOBODY.join('x'), c1: 'a\u009b31mb', city: 'Z\u00fcrich' };
  const json = safeJson(value);
  expect(json).not.toMatch(new RegExp(`[${SEEN_BY_NOBODY.join('')}\u009b]`, 'u'));
  expect(json).toContain('Z\u00fcrich');
  expect(JSON.parse(json)).toEqual(value);
});
