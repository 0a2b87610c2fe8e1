import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { awaitStart, starterIn } from '../../src/notify/await-start.ts';
import { createTelegram } from '../../src/notify/telegram.ts';
import { commandContext, configWith } from '../helpers/command.ts';
import { startTelegram, type Telegram } from '../standins/telegram.js';

const ADA = { id: 42, type: 'private' as const, first_name: 'Ada' };
let standin: Telegram;
beforeEach(async () => void (standin = await startTelegram()));
afterEach(() => standin.close());

function wait(withinMs = 100_000) {
  const { http } = commandContext(configWith({})).context.system;
  const telegram = createTelegram({ http, token: standin.token, apiRoot: standin.url, chatId: () => '' });
  const monotonic = () => performance.now();
  return awaitStart(telegram, 'CODE', {
    untilMs: monotonic() + withinMs,
    monotonic,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, Math.min(ms, 20))),
  });
}

describe('awaitStart', () => {
  it('waits network trouble out, and finds the code behind more messages than one answer holds', async () => {
    standin.fail(
      { kind: 'reset', method: 'getUpdates' },
      { kind: '500', method: 'getUpdates' },
      { kind: '429', method: 'getUpdates' },
    );
    for (let i = 0; i < 150; i += 1) standin.write({ id: 1000 + i, type: 'private' }, 'hello');
    standin.write(ADA, '/start CODE');
    expect(await wait()).toMatchObject({ starter: { chatId: '42', userId: '777', chatTitle: 'Ada' } });
    expect(standin.pendingFaults()).toBe(0);
  });

  it('calls a webhook a conflict, and another token a refusal', async () => {
    standin.setWebhook(true);
    expect(await wait()).toMatchObject({ conflict: true });
    standin.setWebhook(false);
    standin.fail({
      kind: 'answer',
      method: 'getUpdates',
      status: 401,
      body: { ok: false, error_code: 401, description: 'Unauthorized' },
    });
    expect(await wait()).toEqual({ problem: '401 Unauthorized', conflict: false });
  });

  it('gives up in the end', async () => {
    standin.write(ADA, '/start OTHER');
    expect(await wait(300)).toEqual({ late: true });
  });
});

describe('starterIn', () => {
  const update = (text: unknown, chat: unknown = ADA, from: unknown = { id: 7, first_name: 'Eve' }) => ({
    update_id: 1,
    message: { text, chat, from },
  });
  it.each(['/start CODE', '/start@some_bot CODE', ' /START  CODE '])('takes %j', (text) => {
    expect(starterIn(update(text), 'CODE')?.userId).toBe('7');
  });
  it.each([
    update('/start'),
    update('/start CODEX'),
    update('/start code'),
    update('/start CODE more'),
    update('CODE'),
    update(7),
    update('/start CODE', { id: 'x' }),
    update('/start CODE', null),
    update('/start CODE', ADA, null),
    null,
    'text',
  ])('does not take %j', (given) => {
    expect(starterIn(given, 'CODE')).toBeUndefined();
  });
});
