import { describe, expect, it } from 'vitest';
import { adviceFor } from '../../src/notify/advice.ts';
import { classify, createTelegram, readAnswer } from '../../src/notify/telegram.ts';
import { httpRequest } from '../../src/system/http/http.ts';
import { startTelegram, type Fault, type StandInChat } from '../standins/telegram.js';

function outcome(status: number, body: unknown, headers: Record<string, string> = {}) {
  return classify(readAnswer(status, headers, typeof body === 'string' ? body : JSON.stringify(body)));
}
const error = (code: number, description: string, parameters?: unknown) => ({
  ok: false,
  error_code: code,
  description,
  ...(parameters ? { parameters } : {}),
});

describe('an answer of the Bot API', () => {
  it.each([
    [200, { ok: true, result: {} }, { state: 'sent' }],
    [
      400,
      error(400, 'Bad Request: message is not modified: specified new message content'),
      { state: 'sent' },
    ],
    [401, error(401, 'Unauthorized'), { state: 'refused', why: '401 Unauthorized' }],
    [404, error(404, 'Not Found'), { state: 'refused', why: '404 Not Found' }],
    [
      403,
      error(403, 'Forbidden: bot was blocked by the user'),
      { state: 'refused', why: '403 Forbidden: bot was blocked by the user' },
    ],
    [
      400,
      error(400, 'Bad Request: chat not found'),
      { state: 'refused', why: '400 Bad Request: chat not found' },
    ],
    [
      400,
      error(400, 'Bad Request: not enough rights to send text messages to the chat'),
      { state: 'refused', why: '400 Bad Request: not enough rights to send text messages to the chat' },
    ],
    [
      400,
      error(400, "Bad Request: can't parse entities: Unsupported start tag"),
      { state: 'invalid', why: "400 Bad Request: can't parse entities: Unsupported start tag" },
    ],
    [413, error(413, 'Request Entity Too Large'), { state: 'invalid', why: '413 Request Entity Too Large' }],
    [
      429,
      error(429, 'Too Many Requests: retry after 17', { retry_after: 17 }),
      { state: 'retry', why: '429 Too Many Requests: retry after 17', afterMs: 17_000 },
    ],
    [500, error(500, 'Internal Server Error'), { state: 'retry', why: '500 Internal Server Error' }],
    [409, error(409, 'Conflict'), { state: 'retry', why: '409 Conflict' }],
    [502, '<html>Bad Gateway</html>', { state: 'retry', why: 'HTTP 502, and not from the Bot API' }],
    [404, '<html>nginx</html>', { state: 'retry', why: 'HTTP 404, and not from the Bot API' }],
    [200, '', { state: 'retry', why: 'HTTP 200, and not from the Bot API' }],
    [200, 'null', { state: 'retry', why: 'HTTP 200, and not from the Bot API' }],
    [200, '[]', { state: 'retry', why: 'HTTP 200, and not from the Bot API' }],
    [200, { ok: 'yes' }, { state: 'retry', why: 'HTTP 200, and not from the Bot API' }],
    [302, { ok: true }, { state: 'retry', why: 'HTTP 302, and not from the Bot API' }],
  ])('%i %j', (status, body, expected) => {
    expect(outcome(status, body)).toEqual(expected);
  });

  it('takes the pause from the header where the body has none', () => {
    expect(outcome(429, 'slow down', { 'retry-after': '5' })).toMatchObject({ afterMs: 5000 });
    expect(outcome(429, error(429, 'Too Many Requests'), { 'retry-after': '6' })).toMatchObject({
      afterMs: 6000,
    });
  });

  it.each([['soon'], [-1], [null], [{}]])('is not fooled by a retry_after of %j', (retryAfter) => {
    const result = outcome(429, error(429, 'Too Many Requests', { retry_after: retryAfter }));
    expect(result.state).toBe('retry');
    expect('afterMs' in result ? (result.afterMs ?? 0) : 0).toBeLessThanOrEqual(0);
  });

  it('bounds a pause of years to a day', () => {
    expect(outcome(429, error(429, 'x', { retry_after: 1e12 }))).toMatchObject({ afterMs: 86_400_000 });
  });

  it('reads where a group moved to', () => {
    const body = error(400, 'Bad Request: group chat was upgraded', {
      migrate_to_chat_id: -1001234567890123,
    });
    expect(readAnswer(400, {}, JSON.stringify(body))).toMatchObject({ migrateTo: '-1001234567890123' });
    const odd = error(400, 'x', { migrate_to_chat_id: '../etc' });
    expect(readAnswer(400, {}, JSON.stringify(odd))).not.toHaveProperty('migrateTo');
  });

  it('keeps hostile descriptions to one plain line', () => {
    const answer = readAnswer(400, {}, JSON.stringify(error(400, `a\n\u001b[31m${'b'.repeat(9999)}`)));
    expect(answer).toMatchObject({ kind: 'error' });
    const { description } = answer as { description: string };
    expect(description.length).toBeLessThanOrEqual(300);
    for (const bad of ['\n', '\u001b']) expect(description).not.toContain(bad);
  });
});

describe('a message that is not taken as it is', () => {
  const GROUP: StandInChat = { id: -1001234567890, type: 'supergroup', title: 'Ops', topics: [7, 8] };
  const refusal = (method: string, description: string): Fault => ({
    kind: 'answer',
    method,
    body: error(400, `Bad Request: ${description}`),
  });
  async function send(
    to: { topic?: number; replyTo?: number; html?: string; edit?: boolean },
    ...refusals: Fault[]
  ) {
    const telegram = await startTelegram({ chats: [GROUP] });
    try {
      const api = createTelegram({
        http: httpRequest,
        token: telegram.token,
        apiRoot: telegram.url,
        chatId: () => telegram.chatId,
      });
      const { topic, replyTo, html = '<b>x</b>', edit } = to;
      const keyboard = [[{ text: 'Logs', callback_data: 'l' }]];
      const chat = telegram.chatId;
      const options = {
        place: topic === undefined ? { chat } : { chat, topic },
        keyboard,
        ...(replyTo === undefined ? {} : { replyTo }),
      };
      if (edit) await api.sendText('before', { place: { chat } });
      telegram.fail(...refusals);
      const outcome = edit ? await api.editText(1, html, options) : await api.sendText(html, options);
      const [sent] = telegram.sent;
      return { outcome, sent, shown: telegram.message(chat, 1), calls: telegram.calls };
    } finally {
      await telegram.close();
    }
  }

  it('goes to the general topic of a forum without its number, which Telegram does not know', async () => {
    const { outcome, sent, calls } = await send({ topic: 1 });
    expect(outcome).toMatchObject({ state: 'sent' });
    expect(outcome).not.toHaveProperty('lostTopic');
    expect(sent?.threadId).toBeUndefined();
    expect(calls).toHaveLength(1);
  });

  it('goes without its reply, which is in another topic or gone', async () => {
    for (const words of ['message to be replied not found', 'REPLY_MESSAGE_ID_INVALID']) {
      const { outcome, sent } = await send({ topic: 7, replyTo: 4 }, refusal('sendMessage', words));
      expect(outcome).toMatchObject({ state: 'sent' });
      expect(sent).toMatchObject({ threadId: 7, plain: 'x', parseMode: 'HTML' });
      expect(sent?.keyboard).toHaveLength(1);
    }
    // A message that only its sender sees has no number that could be answered.
    const { calls } = await send({ replyTo: 0 });
    expect(calls[0]?.params).not.toHaveProperty('reply_parameters');
  });

  it('goes to the group, without its reply, where its topic is closed or gone', async () => {
    const { outcome, sent, calls } = await send({ topic: 9, replyTo: 4 });
    expect(outcome).toMatchObject({ state: 'sent', lostTopic: 'Bad Request: message thread not found' });
    expect(sent?.threadId).toBeUndefined();
    expect(calls.at(-1)?.params).not.toHaveProperty('reply_parameters');
  });

  it('goes without buttons, and then as plain text, where both are refused', async () => {
    const { outcome, sent, calls } = await send(
      { html: '<b>x</b> &amp; y' },
      refusal('sendMessage', 'BUTTON_DATA_INVALID'),
      refusal('sendMessage', "can't parse entities: Unsupported start tag"),
    );
    expect(outcome).toMatchObject({ state: 'sent' });
    expect(sent).toMatchObject({ plain: 'x & y' });
    expect(sent?.keyboard).toBeUndefined();
    expect(calls).toHaveLength(3);
  });

  it('is refused for what Telegram says of the chat, and not sent again and again', async () => {
    for (const words of [
      'CHAT_WRITE_FORBIDDEN',
      'CHAT_ADMIN_REQUIRED',
      'USER_BANNED_IN_CHANNEL',
      'CHANNEL_PRIVATE',
    ]) {
      const { outcome, calls } = await send({}, refusal('sendMessage', words));
      expect(outcome).toEqual({ state: 'refused', why: `400 Bad Request: ${words}` });
      expect(calls).toHaveLength(1);
    }
  });

  it('keeps its buttons where it shows just that already', async () => {
    const same = {
      kind: 'answer',
      method: 'editMessageText',
      body: error(
        400,
        'Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message',
      ),
    } as const;
    const { outcome, calls } = await send({ edit: true }, same);
    expect(outcome).toEqual({ state: 'sent' });
    expect(calls).toHaveLength(2);
  });

  it('is edited in any form, too; one that is gone is not', async () => {
    const taken = await send({ edit: true }, refusal('editMessageText', 'inline keyboard expected'));
    expect(taken.outcome).toMatchObject({ state: 'sent' });
    expect(taken.shown).toMatchObject({ plain: 'x', keyboard: [] });
    for (const words of ['message to edit not found', "message can't be edited", 'MESSAGE_ID_INVALID']) {
      const lost = await send({ edit: true }, refusal('editMessageText', words));
      expect(lost.outcome).toMatchObject({ state: 'invalid' });
      expect(lost.calls).toHaveLength(2);
    }
  });
});

describe('advice', () => {
  it.each([
    ['401 Unauthorized', 'BotFather'],
    ['400 Bad Request: chat not found', 'vpsmon telegram chats'],
    ['403 Forbidden: bot was blocked by the user', 'Unblock'],
    ['403 Forbidden: bot was kicked from the supergroup chat', 'Add the bot'],
    ['409 Conflict: terminated by other getUpdates request', 'Another program'],
    ["409 Conflict: can't use getUpdates method while webhook is active", 'webhook'],
    ['the name api.telegram.org cannot be resolved (ENOTFOUND)', 'DNS'],
    ['no answer from api.telegram.org within 15 s', 'firewall'],
  ])('%s', (why, part) => {
    expect(adviceFor(why)).toContain(part);
  });
});
