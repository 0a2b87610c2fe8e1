import { expect, test } from 'vitest';
import { stderrLog } from '../../src/system/log.ts';
import type { LogLevel } from '../../src/system/types.ts';

function lines(level: LogLevel, journal: boolean, secrets: string[] = []) {
  const written: string[] = [];
  const log = stderrLog(level, secrets, (line) => written.push(line), journal);
  return { log, written };
}

test('a line each, with the time, from the level on', () => {
  const { log, written } = lines('INFO', false);
  log.debug('nobody reads this');
  log.info('one');
  log.error('two');
  expect(written).toEqual([
    expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO one\n$/),
    expect.stringMatching(/ ERROR two\n$/),
  ]);
});

test('S3: a line stays a line, whatever separates lines elsewhere', () => {
  const { log, written } = lines('INFO', true);
  log.warn('web\u2028<2>forged\u2029one\u0085two\u202ethree');
  expect(written).toEqual(['<4>web <2>forged onetwothree\n']);
});

test('an alert has its severity once', () => {
  const { log, written } = lines('INFO', false);
  log.warn('WARNING disk [/] Disk / is 85 % full');
  log.error('CRITICAL disk [/] Disk / is 95 % full');
  expect(written).toEqual([
    expect.stringMatching(/^[\d :-]+ WARNING disk \[/),
    expect.stringMatching(/^[\d :-]+ CRITICAL disk \[/),
  ]);
});

test('for the journal the priority instead of the time', () => {
  const { log, written } = lines('DEBUG', true);
  log.debug('d');
  log.info('i');
  log.warn('w');
  log.error('e');
  expect(written).toEqual(['<7>d\n', '<6>i\n', '<4>w\n', '<3>e\n']);
});

test('secrets are masked, known ones and what looks like one', () => {
  const { log, written } = lines('INFO', true, ['s3cret-value']);
  log.info('token s3cret-value, password=abc123 and 123456789:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA');
  expect(written[0]).toBe('<6>token ***, password=*** and ***\n');
});

test('a name with line breaks and escapes in it forges no line and colours nothing', () => {
  const { log, written } = lines('INFO', true);
  log.warn('container x\n<3>everything is lost\u001b[31m\u009b2J');
  expect(written).toEqual(['<4>container x | <3>everything is lost\n']);
});
