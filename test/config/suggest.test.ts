import { expect, test } from 'vitest';
import { KEY_NAMES } from '../../src/config/defaults.ts';
import { OLD_NAMES } from '../../src/config/old-names.ts';
import { editDistance, suggest } from '../../src/config/suggest.ts';

test.each([
  ['', '', 0],
  ['a', '', 1],
  ['kitten', 'sitting', 3],
  ['LOG_LEVLE', 'LOG_LEVEL', 1],
  ['abc', 'cab', 2],
])('from %j to %j: %d', (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance);
  expect(editDistance(b, a)).toBe(distance);
});

test.each([
  ['TELEGRAM_BOTTOKEN', 'TELEGRAM_BOT_TOKEN'],
  ['telegram-chat-id', 'TELEGRAM_CHAT_ID'],
  ['LOG_LEVLE', 'LOG_LEVEL'],
  ['HTTP_LSITEN', 'HTTP_LISTEN'],
  ['SWAP_TRESHOLD_MB', 'SWAP_THRESHOLD_MB'],
  ['PATH', undefined],
  ['COMPOSE_PROJECT_NAME', undefined],
  ['x'.repeat(10_000), undefined],
])('%s means %s', (typed, meant) => {
  expect(suggest(typed, KEY_NAMES)).toBe(meant);
});

test('old names are no settings, and lead to one', () => {
  for (const [old, key] of Object.entries(OLD_NAMES)) {
    expect(KEY_NAMES).not.toContain(old);
    expect(KEY_NAMES).toContain(key);
  }
});
