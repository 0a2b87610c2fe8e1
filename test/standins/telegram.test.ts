import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTelegram, type Telegram } from './telegram.js';

let telegram: Telegram;
const call = async (method: string, body: Record<string, unknown> = {}) => {
  const answer = await fetch(`${telegram.url}/bot${telegram.token}/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return (await answer.json()) as {
    ok: boolean;
    result?: any; // oxlint-disable-line typescript/no-explicit-any -- whatever the method gives
    error_code?: number;
    description?: string;
    parameters?: Record<string, unknown>;
  };
};
const send = (more: Record<string, unknown> = {}) =>
  call('sendMessage', { chat_id: telegram.chatId, text: 'a', ...more });
const keyboard = (...buttons: Record<string, unknown>[]) => ({ inline_keyboard: [buttons] });

beforeEach(async () => {
  telegram = await startTelegram();
});
afterEach(() => telegram.close());

describe('the stand-in for the Bot API', () => {
  it('ends the long poll that waits when another one begins, and refuses while a webhook is set', async () => {
    const first = call('getUpdates', { timeout: 20 });
    await telegram.waitUntil(() => telegram.polling());
    const second = call('getUpdates', { timeout: 20 });
    expect(await first).toMatchObject({
      error_code: 409,
      description: expect.stringContaining('terminated by other getUpdates'),
    });
    telegram.write({ id: 5, type: 'private' }, 'hello');
    const [update] = (await second).result;
    expect(update.message.text).toBe('hello');
    expect((await call('getUpdates')).result).toHaveLength(1);
    expect((await call('getUpdates', { offset: update.update_id + 1 })).result).toEqual([]);
    telegram.setWebhook(true);
    expect(await call('getUpdates')).toMatchObject({ error_code: 409 });
  });

  it('edits a message that is there, and only when something changes', async () => {
    const id = (await send()).result.message_id;
    const edit = (more: Record<string, unknown>) =>
      call('editMessageText', { chat_id: telegram.chatId, message_id: id, ...more });
    expect((await edit({ text: 'b' })).ok).toBe(true);
    expect(await edit({ text: 'b' })).toMatchObject({
      error_code: 400,
      description: expect.stringContaining('message is not modified'),
    });
    telegram.deleteMessage(telegram.chatId, id);
    expect((await edit({ text: 'c' })).description).toBe('Bad Request: message to edit not found');
  });

  it('checks buttons, replies, topics and commands', async () => {
    const data = (callback_data: string) => send({ reply_markup: keyboard({ text: 'x', callback_data }) });
    expect((await data('ü'.repeat(32))).ok).toBe(true);
    expect((await data('ü'.repeat(33))).description).toContain('BUTTON_DATA_INVALID');
    expect((await send({ reply_markup: keyboard({ text: 'x' }) })).description).toContain('unallowed');
    expect((await send({ reply_parameters: { message_id: 99 } })).description).toContain('replied not found');
    expect((await send({ reply_parameters: { message_id: 99, allow_sending_without_reply: true } })).ok).toBe(
      true,
    );
    // Not in a forum: left out, as Telegram does.
    expect((await send({ message_thread_id: 4 })).result.message_thread_id).toBeUndefined();
    telegram.setChat({ id: Number(telegram.chatId), topics: [4] });
    for (const message_thread_id of [1, 5])
      expect((await send({ message_thread_id })).description).toContain('message thread not found');
    expect((await send({ message_thread_id: 4 })).result.message_thread_id).toBe(4);
    expect(
      (await call('setMyCommands', { commands: [{ command: 'Status', description: 'x' }] })).description,
    ).toContain('BOT_COMMAND_INVALID');
  });

  it('refuses what Bot API 10.3 refuses of a text, a button, a caption and a preview', async () => {
    expect((await send({ text: `<b>${'<i></i>'.repeat(5000)}x</b>`, parse_mode: 'HTML' })).description).toBe(
      'Bad Request: Text is too long',
    );
    const styled = (style: string) =>
      send({ reply_markup: keyboard({ text: 'x', callback_data: 'd', style }) });
    expect((await styled('danger')).ok).toBe(true);
    expect((await styled('red')).description).toContain('invalid button style');
    expect((await send({ link_preview_options: true })).description).toContain('link preview options');
    expect((await send({ disable_web_page_preview: true })).description).toContain('unknown');
    const id = (await send()).result.message_id;
    const caption = { chat_id: telegram.chatId, message_id: id, caption: 'c' };
    expect((await call('editMessageCaption', caption)).description).toContain('no caption in the message');
    telegram.setChat({ id: Number(telegram.chatId), state: 'not-started' });
    expect(await send()).toMatchObject({ error_code: 403 });
  });

  it('ends a poll when a webhook is set, and keeps whoever asks for the same again at once', async () => {
    await telegram.close();
    // At once, however busy the machine is.
    telegram = await startTelegram({ sameAgainMs: 600_000 });
    const waiting = call('getUpdates', { timeout: 20 });
    await telegram.waitUntil(() => telegram.polling());
    telegram.setWebhook(true);
    expect((await waiting).description).toBe('Conflict: terminated by setWebhook request');
    telegram.setWebhook(false);
    for (const text of ['a', 'b']) telegram.write({ id: 5, type: 'private' }, text);
    await call('getUpdates', { offset: 5 });
    expect((await call('getUpdates', { offset: 5 })).result).toHaveLength(1);
  });

  it('takes one answer to a callback query, and none that comes too late', async () => {
    const { message_id: id } = (await send({ reply_markup: keyboard({ text: 'x', callback_data: 'd' }) }))
      .result;
    const query = telegram.tap({ chatId: telegram.chatId, id }, 'x');
    const [update] = (await call('getUpdates')).result;
    expect(update.callback_query).toMatchObject({ id: query, data: 'd', message: { message_id: id } });
    expect((await call('answerCallbackQuery', { callback_query_id: query })).ok).toBe(true);
    expect((await call('answerCallbackQuery', { callback_query_id: query })).description).toContain(
      'too old',
    );
    const late = telegram.tap({ chatId: telegram.chatId, id }, 'x', undefined, undefined, { old: true });
    expect((await call('answerCallbackQuery', { callback_query_id: late })).ok).toBe(false);
  });
});
