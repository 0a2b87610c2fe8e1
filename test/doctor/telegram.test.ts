import { expect, it } from 'vitest';
import { examineTelegram } from '../../src/doctor/telegram.ts';
import type { Telegram } from '../../src/notify/telegram.ts';

it.each([null, [], true, { id: 'x' }, {}])(
  'an answer of %j to getMe is not from the Bot API',
  async (result) => {
    const telegram = { getMe: () => Promise.resolve({ kind: 'ok', result }) } as unknown as Telegram;
    const facts = { token: '1:x', tokenFile: '', destinations: [], reads: false };
    expect(await examineTelegram(telegram, facts)).toMatchObject([
      { name: 'telegram', state: 'failed', text: expect.stringMatching(/not as the Bot API does/) },
    ]);
  },
);
