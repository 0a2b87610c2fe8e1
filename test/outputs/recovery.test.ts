import { renderSilences } from '../../src/outputs/terminal/silences.ts';
import { expect, test } from 'vitest';
import type { Action } from '../../src/model/action.ts';
import { foundLines, recoveryTerminal, renderHistory } from '../../src/outputs/terminal/recovery.ts';
import { renderLines } from '../../src/outputs/terminal/lines.ts';
import { styleFor, wrapBehind } from '../../src/outputs/terminal/style.ts';

const AT = Date.parse('2026-01-14T12:00:00Z');
const PAUSED = {
  id: 12,
  rule: 'loops',
  what: 'pause-loop',
  target: 'stardust-my-firstcare-com',
  state: 'undone',
  why: '6 restarts within 5 minutes',
  result: 'stardust-my-firstcare-com is stopped; stardust-my-firstcare-com runs again',
  startedAt: AT,
  endedAt: AT + 2000,
} as Action;
const FAILED = { ...PAUSED, id: 11, target: 'support', state: 'failed', result: 'it is FAILED' } as Action;

const longest = (text: string) => Math.max(...text.split('\n').map((line) => line.length));

test('history on a narrow terminal: what came of each stands below, whole', () => {
  const shown = renderHistory([PAUSED, FAILED], { color: false, wrapAt: 80 });
  expect(longest(shown)).toBeLessThanOrEqual(80);
  expect(shown).not.toContain('TARGET');
  const lines = shown.split('\n');
  expect(lines[1]).toMatch(/^ {2}12 {2}2026-01-14 .*loops {2}pause-loop {2}undone {2}2 s$/);
  expect(lines[2]).toBe(`      ${PAUSED.result}`);
  expect(lines[4]).toBe('      support: it is FAILED');
});

test('history on a wide terminal, and for what reads it: one line each', () => {
  for (const wrapAt of [200, undefined]) {
    const shown = renderHistory([PAUSED, FAILED], { color: false, wrapAt });
    expect(shown.trimEnd().split('\n')).toHaveLength(3);
    expect(shown).toContain('TARGET');
  }
});

test.each([80, 120, 200, undefined])('U17: nothing of a long history is cut on %s columns', (wrapAt) => {
  const target = `${'customer-'.repeat(9)}web-1`;
  const result = 'it is stopped, and so on, '.repeat(12).trim();
  const shown = renderHistory([{ ...PAUSED, target, result }], { color: false, wrapAt });
  const words = shown.replace(/\s+/g, ' ');
  expect(words).toContain(target);
  expect(words).toContain(result);
  expect(shown).not.toContain('\u2026');
});

test('U17: nothing of a silence is cut', () => {
  const subject = `${'customer-'.repeat(9)}web-1`;
  const reason = 'the reason is long, '.repeat(9).trim();
  const silence = { subject, reason, since: AT, until: AT + 1, scheduled: false };
  const shown = renderSilences({ silences: [silence], windows: [], now: AT, color: false });
  expect(shown).toContain(subject);
  expect(shown).toContain(reason);
});

test('what recovery says is broken between words on a terminal, and is one line for what reads it', () => {
  const said = {
    severity: 'warning' as const,
    rule: 'waha',
    target: 'a',
    text: 'one word '.repeat(20).trim(),
  };
  expect(recoveryTerminal(said, { color: false })).toBe(`WARNING   waha    ${said.text}`);
  const [first, second] = recoveryTerminal(said, { color: false, wrapAt: 80 }).split('\n');
  expect(first).toMatch(/^WARNING {3}waha {4}one word .*(one|word)$/);
  expect(second).toMatch(/^ {18}(one|word) /);
  expect(longest(foundLines('waha', said.text, 80))).toBeLessThanOrEqual(80);
});

test('lines of doctor and status are indented where they are broken', () => {
  const text = 'a file that is said about at length, so that it does not fit on a line of eighty';
  const lines = renderLines([{ name: 'config', state: 'warning', text, advice: text }], styleFor(false), 80);
  expect(lines).toHaveLength(4);
  expect(lines[1]).toMatch(/^ {16}\S/);
  expect(lines[3]).toMatch(/^ {19}\S/);
});

test('a word that is too long keeps its line', () => {
  expect(wrapBehind('> ', `a ${'x'.repeat(50)} b`, 40)).toEqual(['> a', `  ${'x'.repeat(50)}`, '  b']);
});
