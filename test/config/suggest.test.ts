import { expect, test } from 'vitest';
import { KEY_NAMES } from '../../src/config/schema.ts';
import { settingOfOldName } from '../../src/config/layers.ts';
import { suggest } from '../../src/config/suggest.ts';

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

test.each([
  ['BOT_TOKEN', 'TELEGRAM_BOT_TOKEN'],
  ['PGPASSWORD', 'POSTGRES_PASSWORD'],
  ['SWAP_RATE_THRESHOLD', 'SWAP_IN_CRITICAL_KBPS'],
  ['N8N_HOST', 'N8N_URL'],
])('the old name %s leads to %s', (old, key) => expect(settingOfOldName(old)).toBe(key));

test('no setting is an old name of another one', () => {
  for (const key of KEY_NAMES) expect(settingOfOldName(key)).toBeUndefined();
});
