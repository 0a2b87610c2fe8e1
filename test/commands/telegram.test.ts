import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GlobalOptions } from '../../src/commands/context.ts';
import { telegramChats, telegramTest } from '../../src/commands/telegram.ts';
import type { Settings } from '../../src/config/schema.ts';
import { openOutbox } from '../../src/store/outbox.ts';
import { openStore } from '../../src/store/open.ts';
import { commandContext, configWith } from '../helpers/command.ts';
import { startTelegram, type Telegram } from '../standins/telegram.js';

let telegram: Telegram;
let stateDir: string;
beforeEach(async () => {
  telegram = await startTelegram({ sameAgainMs: 0 });
  stateDir = mkdtempSync(join(tmpdir(), 'vpsmon-telegram-'));
});
afterEach(async () => {
  await telegram.close();
  rmSync(stateDir, { recursive: true, force: true });
});

async function run(
  command: typeof telegramTest,
  settings: Partial<Settings> = {},
  options: GlobalOptions = {},
) {
  const config = configWith(
    {
      ...telegram.settings,
      ...settings,
    },
    { stateDir },
  );
  const recorded = commandContext(config, options);
  const code = await command(recorded.context);
  return { code, out: recorded.out(), err: recorded.err() };
}

describe('vpsmon telegram test', () => {
  it('sends a message now and says who and where', async () => {
    const { code, out, err } = await run(telegramTest);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toBe(
      'Bot:  @standin_bot (123456789)\nChat: Ops (supergroup, -1001234567890)\nThe test message was sent.\n',
    );
    expect(telegram.sent).toHaveLength(1);
    expect(telegram.sent[0]?.plain).toContain('Test message from vpsmon');
    expect(readdirSync(stateDir)).toEqual([]);
  });

  it('sends nothing in a dry run', async () => {
    const { code, out } = await run(telegramTest, {}, { dryRun: true });
    expect(code).toBe(0);
    expect(out).toContain('Dry run');
    expect(telegram.calls.map((call) => call.method)).toEqual(['getMe', 'getChat']);
  });

  it('prints JSON', async () => {
    const { out } = await run(telegramTest, {}, { json: true });
    expect(JSON.parse(out)).toEqual({
      version: 1,
      ok: true,
      sent: true,
      bot: { id: '123456789', username: 'standin_bot' },
      chat: { id: '-1001234567890', type: 'supergroup', title: 'Ops' },
      chats: [
        {
          target: '-1001234567890',
          severities: ['critical', 'warning', 'info'],
          sent: true,
          chat: { id: '-1001234567890', type: 'supergroup', title: 'Ops' },
        },
      ],
    });
    const failed = await run(telegramTest, { TELEGRAM_CHAT_ID: '5' }, { json: true });
    expect(failed.code).toBe(2);
    expect(JSON.parse(failed.out)).toMatchObject({
      ok: false,
      problem: 'Telegram: 400 Bad Request: chat not found',
    });
  });

  it.each<[string, Partial<Settings>, string, string]>([
    ['no token', { TELEGRAM_BOT_TOKEN: '' }, 'TELEGRAM_BOT_TOKEN is not set', '@BotFather'],
    ['no chat', { TELEGRAM_CHAT_ID: '' }, 'TELEGRAM_CHAT_ID is not set', 'vpsmon telegram chats'],
    ['a wrong token', { TELEGRAM_BOT_TOKEN: '1:wrong' }, '401 Unauthorized', '@BotFather'],
    ['an unknown chat', { TELEGRAM_CHAT_ID: '5' }, 'chat not found', 'vpsmon telegram chats'],
    ['no server', { TELEGRAM_API_ROOT: 'http://127.0.0.1:9' }, '127.0.0.1:9', 'cannot be reached'],
  ])('says what to do about %s', async (_, settings, problem, advice) => {
    const { code, out, err } = await run(telegramTest, settings);
    expect(code).toBe(2);
    // Not even an empty line where there is nothing to be said.
    expect(out).not.toMatch(/^\n/);
    expect(err).toContain(problem);
    expect(err).toContain(advice);
  });

  it('says what to do when it was kicked', async () => {
    telegram.setChat({ id: Number(telegram.chatId), type: 'supergroup', state: 'kicked' });
    const { code, out, err } = await run(telegramTest);
    expect(code).toBe(2);
    expect(out).toContain('Chat: Ops');
    expect(err).toContain('403 Forbidden: bot was kicked');
    expect(err).toContain('Add the bot to the chat again');
  });

  it('says the new id of a group that was upgraded', async () => {
    telegram.migrate(telegram.chatId, '-1002222222222');
    const { code, out } = await run(telegramTest);
    expect(code).toBe(0);
    expect(out).toContain('write -1002222222222 in place of -1001234567890 into the settings');
  });

  it('has what was put off tried at once', async () => {
    const store = openStore(stateDir, Date.now());
    const outbox = openOutbox(store.db);
    const id = outbox.enqueue({
      at: Date.now(),
      severity: 'critical',
      kind: 'disk',
      subject: '/',
      html: 'x',
    });
    outbox.markTried(id, 'refused', Date.now() + 3_600_000, 3_600_000, '403');
    const { out } = await run(telegramTest);
    expect(out).toContain('1 message waits');
    expect(outbox.waiting()[0]).toMatchObject({ state: 'waiting', nextTryAt: 0 });
    store.close();
  });
});

describe('vpsmon telegram test, with several chats and topics', () => {
  const settings = {
    TELEGRAM_CHAT_ID: '-1001234567890/7,@boss',
    TELEGRAM_CHAT_CRITICAL: '42',
    TELEGRAM_CHAT_INFO: '-1001234567890/8',
  };
  beforeEach(() => {
    telegram.setChat({ id: -1001234567890, type: 'supergroup', title: 'Ops', topics: [7, 8] });
    telegram.setChat({ id: -100777, type: 'channel', title: 'Boss', username: 'boss' });
    telegram.setChat({ id: 42, type: 'private', first_name: 'Ada' });
  });

  it('tries each, and says what goes where', async () => {
    const { code, out, err } = await run(telegramTest, settings);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out.split('\n').slice(1)).toEqual([
      'Chat: Ops (supergroup, -1001234567890), topic 7: warning',
      'Chat: Boss (channel, -100777): warning',
      'Chat: Ada (private, 42): critical',
      'Chat: Ops (supergroup, -1001234567890), topic 8: info',
      'The test message was sent to all 4.',
      '',
    ]);
    expect(telegram.sent.map(({ chatId, threadId }) => [chatId, threadId])).toEqual([
      ['-1001234567890', 7],
      ['-100777', undefined],
      ['42', undefined],
      ['-1001234567890', 8],
    ]);
  });

  it('names each that does not work, and a topic that is not there', async () => {
    telegram.setChat({ id: -1001234567890, topics: [7] });
    telegram.setChat({ id: 42, state: 'blocked' });
    telegram.removeChat(-100777);
    const { code, out, err } = await run(telegramTest, settings);
    expect(code).toBe(2);
    expect(out).toContain('Chat: @boss: warning (FAILED)');
    expect(out).toContain('The test message was sent to 2 of 4.');
    expect(err).toMatch(/vpsmon: @boss: Telegram: 400 Bad Request: chat not found\n.*telegram chats/);
    expect(err).toMatch(/vpsmon: 42: Telegram: 403 Forbidden: bot was blocked by the user\n.*Unblock/);
    expect(err).toMatch(
      /-1001234567890\/8: Telegram: .*message thread not found; the message went to the group/,
    );
  });
});

describe('vpsmon telegram chats', () => {
  it('lists who wrote, the latest first', async () => {
    const at = new Date(2025, 6, 16, 10, 30).getTime();
    telegram.write({ id: 42, type: 'private', first_name: 'Ada', username: 'ada' }, 'hello', at);
    telegram.write(
      { id: -1001234567890, type: 'supergroup', title: 'Ops\u001b[31m' },
      '/start\nnow',
      at + 60_000,
    );
    telegram.write({ id: 42, type: 'private', first_name: 'Ada', username: 'ada' }, 'hello again', at + 1000);
    const { code, out, err } = await run(telegramChats);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out.split('\n').slice(1, 3)).toEqual([
      '  -1001234567890  supergroup  Ops       2025-07-16 10:31:00 Ada @ada "/start now" (this is TELEGRAM_CHAT_ID)',
      '  42              private     Ada @ada  2025-07-16 10:30:01 "hello again"',
    ]);
    const again = await run(telegramChats, { TELEGRAM_CHAT_ID: '' }, { json: true });
    expect(JSON.parse(again.out)).toMatchObject({
      version: 1,
      ok: true,
      chats: [{ id: '-1001234567890' }, { id: '42' }],
    });
  });

  it('says what to do when nobody wrote', async () => {
    const { code, err } = await run(telegramChats);
    expect(code).toBe(2);
    expect(err).toContain('Nobody has written to @standin_bot');
    expect(err).toContain('https://t.me/standin_bot');
  });

  it('says why the messages of the bot cannot be read', async () => {
    telegram.setWebhook(true);
    const { code, err } = await run(telegramChats);
    expect(code).toBe(2);
    expect(err).toContain('409 Conflict');
    expect(err).toContain('webhook');
  });
});
