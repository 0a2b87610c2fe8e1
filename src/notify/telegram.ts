import type { Delivery } from '../model/message.ts';
import { errorText, maskSecrets, plain } from '../model/text.ts';
import type { Http } from '../system/types.ts';
import type { Button } from '../store/incident-messages.ts';
import { CAPTION_MAX, htmlToPlain, TEXT_MAX } from '../model/html.ts';
import type { Place } from './targets.ts';

export type TelegramOptions = {
  http: Http;
  token: string;
  /** TELEGRAM_API_ROOT. */
  apiRoot: string;
  /** Where messages go: the configured chat, or what the given one was moved to. */
  chatId(chat?: string): string;
  /** The group became a supergroup with another id; `chat` as it was asked for. */
  onMigrated?(to: string, chat?: string): void;
  /** Ends the call in flight when the caller has no more time for it. */
  signal?(): AbortSignal;
  /** For one call; default 15 s. */
  timeoutMs?: number;
};

/** One answer of the Bot API. `broken`: none came, or not from the Bot API. */
export type Answer =
  | { kind: 'ok'; result: unknown }
  | { kind: 'error'; code: number; description: string; retryAfterMs?: number; migrateTo?: string }
  | { kind: 'broken'; why: string };

export type Telegram = ReturnType<typeof createTelegram>;

/** Where and how a message is sent. */
export type SendOptions = {
  /** Default: the configured chat. */
  place?: Place;
  /** Without a sound on the phone. */
  silent?: boolean;
  /** Shown as the answer to this message, where that is still there. */
  replyTo?: number;
  keyboard?: Button[][];
};

/** The parameters of a call. */
type Form = Record<string, unknown>;

const NO_PREVIEW: Form = { link_preview_options: { is_disabled: true } };
/** The topic of a forum that is the group itself: Telegram finds no topic of this number (Client.cpp, GENERAL_FORUM_TOPIC_ID). */
const GENERAL_TOPIC = 1;
const TOKEN = /^\d+:[A-Za-z0-9_-]+$/;
/** A retry_after beyond this is a mistake of whoever answers. */
const LONGEST_PAUSE_MS = 86_400_000;
const MAX_MOVES = 3;
/** One may have 50 KB, with the message that it answers: an answer with a hundred would be too large to be read, again and again. */
const MOST_UPDATES = 20;
const ANSWER_MAX = 200;
const ABOUT_TOPIC = /message thread not found|topic_(?:closed|deleted|id_invalid)/i;
const ABOUT_REPLY =
  /message to (?:be replied|reply)|repl(?:y|ied) message|reply_(?:to_)?message|reply parameters/i;
const ABOUT_BUTTONS = /button|reply markup|inline keyboard/i;
/** Said about the chat or the bot, not about the text: the next message fares no better. */
const ABOUT_THE_CHAT =
  /: (?:chat|channel|user|peer|topic|frozen)_\w+|chat not found|not enough rights|have no rights|need administrator rights|user is deactivated|user not found|group is deactivated|chat is deactivated|chat was deleted|bot is not a member|bot was /i;

const LEFT_BEHIND: Answer = {
  kind: 'error',
  code: 400,
  description: 'Bad Request: message to edit not found',
};

/** The Bot API, as far as vpsmon uses it. Nothing here throws, and no text that it gives contains the token. */
export function createTelegram(options: TelegramOptions) {
  const json = (method: string, parameters: Form, timeoutMs?: number) =>
    callJson(options, method, parameters, timeoutMs);
  return {
    getMe: () => json('getMe', {}),
    getWebhookInfo: () => json('getWebhookInfo', {}),
    getChat: (chat?: string) => toChat(options, chat, (chatId) => json('getChat', { chat_id: chatId })),
    /** What people wrote to the bot lately; nothing is taken away from other readers. */
    getUpdates: (limit: number) => json('getUpdates', { limit, timeout: 0 }),

    /**
     * Waits up to `timeoutSec` for what people write; `offset` is the first update that is wanted, those before it are
     * forgotten by Telegram. `only`: the kinds of updates that are wanted; Telegram remembers it for the bot.
     */
    pollUpdates: (offset: number | undefined, timeoutSec: number, only?: readonly string[]) =>
      json(
        'getUpdates',
        {
          limit: MOST_UPDATES,
          timeout: timeoutSec,
          ...(offset === undefined ? {} : { offset }),
          ...(only === undefined ? {} : { allowed_updates: only }),
        },
        timeoutSec * 1000 + (options.timeoutMs ?? 15_000),
      ),

    setCommands: (commands: readonly { command: string; description: string }[]) =>
      json('setMyCommands', { commands }),

    /** Ends the waiting of a tapped button; `text`: at most 200 characters, shown for a moment or, as an alert, until it is closed. */
    answerCallback: (queryId: string, text = '', alert = false) =>
      json('answerCallbackQuery', {
        callback_query_id: queryId,
        ...(text === '' ? {} : { text: plain(text, ANSWER_MAX), show_alert: alert }),
      }),

    /** Sends one text of at most 4,096 characters. */
    sendText: (html: string, to: SendOptions = {}): Promise<Delivery> =>
      inAnyForm(
        options,
        to.place?.chat,
        { ...NO_PREVIEW, ...inHtml('text', html), ...envelope(to) },
        (form) => json('sendMessage', form),
      ),

    /** Replaces text and buttons of a message of the bot. Sent as well where it shows just that already. */
    editText: (messageId: number, html: string, to: SendOptions = {}): Promise<Delivery> =>
      inAnyForm(
        options,
        to.place?.chat,
        { message_id: messageId, ...NO_PREVIEW, ...inHtml('text', html), ...markup(to) },
        (form) => json('editMessageText', form),
      ),

    /** Sends a PNG of at most 10 MB, with a caption of at most 1,024 characters. */
    sendPhoto: (png: Buffer, fileName: string, to: SendOptions = {}, caption?: string): Promise<Delivery> =>
      inAnyForm(
        options,
        to.place?.chat,
        { ...(caption === undefined ? {} : inHtml('caption', caption)), ...envelope(to) },
        (form) => call(options, 'sendPhoto', multipart(form, 'photo', fileName, png)),
      ),
  };
}

async function call(
  options: TelegramOptions,
  method: string,
  body: { type: string; bytes: string | Buffer },
  timeoutMs = options.timeoutMs ?? 15_000,
): Promise<Answer> {
  const { token } = options;
  if (!TOKEN.test(token))
    return { kind: 'error', code: 401, description: 'TELEGRAM_BOT_TOKEN is no bot token (123456:ABC...)' };
  const hide = (text: string) => plain(maskSecrets(text, [token, token.split(':')[1] ?? '']), 300);
  try {
    const answer = await options.http({
      url: `${options.apiRoot.replace(/\/+$/, '')}/bot${token}/${method}`,
      method: 'POST',
      headers: { 'content-type': body.type, accept: 'application/json' },
      body: body.bytes,
      timeoutMs,
      maxBytes: 4_194_304,
      ...(options.signal ? { signal: options.signal() } : {}),
    });
    return readAnswer(answer.status, answer.headers, answer.body, hide);
  } catch (error) {
    return { kind: 'broken', why: hide(errorText(error)) };
  }
}

function callJson(
  options: TelegramOptions,
  method: string,
  parameters: Form,
  timeoutMs?: number,
): Promise<Answer> {
  return call(options, method, { type: 'application/json', bytes: JSON.stringify(parameters) }, timeoutMs);
}

/** Follows a group to its new id; `moved`: it is not the one of before, where messages of before are not. */
async function toChat(
  options: TelegramOptions,
  chat: string | undefined,
  send: (chatId: string, moved: boolean) => Promise<Answer>,
): Promise<Answer> {
  let chatId = options.chatId(chat);
  for (let moves = 0; ; moves++) {
    const answer = await send(chatId, moves > 0);
    if (answer.kind !== 'error' || answer.migrateTo === undefined || moves >= MAX_MOVES) return answer;
    chatId = answer.migrateTo;
    options.onMigrated?.(chatId, chat);
  }
}

/** Sends, and where Telegram does not take one part of it, once more without that part. */
async function inAnyForm(
  options: TelegramOptions,
  chat: string | undefined,
  form: Form,
  send: (form: Form) => Promise<Answer>,
  lostTopic?: string,
): Promise<Delivery> {
  const answer = await toChat(options, chat, (chatId, moved) => {
    // The numbers of messages begin anew there: the same one is another message.
    if (moved && 'message_id' in form) return Promise.resolve(LEFT_BEHIND);
    return send({ chat_id: chatId, ...(moved ? leaving(form, 'reply_parameters') : form) });
  });
  const refusal = answer.kind === 'error' && answer.code === 400 ? answer.description : undefined;
  const less = refusal === undefined ? undefined : without(form, refusal);
  if (less) {
    const lost = 'message_thread_id' in form && !('message_thread_id' in less) ? refusal : lostTopic;
    return inAnyForm(options, chat, less, send, lost);
  }
  const delivery = classify(answer);
  return delivery.state === 'sent' && lostTopic !== undefined ? { ...delivery, lostTopic } : delivery;
}

function inHtml(field: 'text' | 'caption', html: string): Form {
  return { [field]: html, parse_mode: 'HTML' };
}

function markup({ keyboard }: SendOptions): Form {
  return keyboard === undefined ? {} : { reply_markup: { inline_keyboard: keyboard } };
}

function envelope(to: SendOptions): Form {
  const { place, silent, replyTo } = to;
  return {
    ...(place?.topic === undefined || place.topic === GENERAL_TOPIC
      ? {}
      : { message_thread_id: place.topic }),
    ...(silent ? { disable_notification: true } : {}),
    ...(replyTo === undefined || replyTo <= 0
      ? {}
      : { reply_parameters: { message_id: replyTo, allow_sending_without_reply: true } }),
    ...markup(to),
  };
}

/**
 * Pure: what is left to send where Telegram refused a call with this description; undefined where nothing helps. Each step leaves
 * something out: a topic that was closed or deleted (the message goes to the group itself), a message to answer that is gone or in
 * another topic, buttons, and the form of a text that is not understood.
 */
function without(form: Form, description: string): Form | undefined {
  const { text, caption } = form;
  // A reply to a message in a topic is none from outside of it.
  if ('message_thread_id' in form && ABOUT_TOPIC.test(description))
    return leaving(form, 'message_thread_id', 'reply_parameters');
  const { state } = classify({ kind: 'error', code: 400, description });
  if (state !== 'invalid') return undefined;
  if ('reply_parameters' in form && ABOUT_REPLY.test(description)) return leaving(form, 'reply_parameters');
  if (isLostMessage(description)) return undefined;
  if ('reply_markup' in form && ABOUT_BUTTONS.test(description)) return leaving(form, 'reply_markup');
  if (!('parse_mode' in form)) return undefined;
  if (typeof text === 'string') return { ...leaving(form, 'parse_mode'), text: asPlain(text, TEXT_MAX) };
  // What is wrong with a picture is not mended by another caption.
  if (typeof caption === 'string' && /entit/i.test(description))
    return { ...leaving(form, 'parse_mode'), caption: asPlain(caption, CAPTION_MAX) };
  return undefined;
}

function leaving(form: Form, ...names: string[]): Form {
  return Object.fromEntries(Object.entries(form).filter(([name]) => !names.includes(name)));
}

function asPlain(html: string, most: number): string {
  return htmlToPlain(html).slice(0, most).toWellFormed();
}

/** True where a message that was to be edited is not there any more, or cannot be edited. */
export function isLostMessage(why: string): boolean {
  return /message (?:to (?:be )?edit(?:ed)? )?not found|message can't be edited|message_(?:id_invalid|author_required|edit_time_expired)|no text in the message|message identifier/i.test(
    why,
  );
}

/** Pure: what an HTTP answer says. */
export function readAnswer(
  status: number,
  headers: Record<string, string>,
  body: string,
  hide: (text: string) => string = plain,
): Answer {
  let json: Record<string, unknown> | undefined;
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null) json = parsed as Record<string, unknown>;
  } catch {
    // Not JSON: a proxy, a portal or a page in between.
  }
  if (json?.ok === true && status < 300) return { kind: 'ok', result: json.result };
  if (json?.ok === false) {
    const parameters = (json.parameters ?? {}) as Record<string, unknown>;
    const code = typeof json.error_code === 'number' ? json.error_code : status;
    const pause = retryAfter(parameters.retry_after, headers);
    return {
      kind: 'error',
      code,
      description: hide(typeof json.description === 'string' ? json.description : `HTTP ${status}`),
      ...(pause === undefined ? {} : { retryAfterMs: pause }),
      ...(isChatId(parameters.migrate_to_chat_id)
        ? { migrateTo: String(parameters.migrate_to_chat_id) }
        : {}),
    };
  }
  const pause = retryAfter(undefined, headers);
  if (status === 429)
    return {
      kind: 'error',
      code: 429,
      description: 'Too Many Requests',
      ...(pause === undefined ? {} : { retryAfterMs: pause }),
    };
  return { kind: 'broken', why: `HTTP ${status}, and not from the Bot API` };
}

function isChatId(value: unknown): boolean {
  return typeof value === 'number'
    ? Number.isSafeInteger(value)
    : typeof value === 'string' && /^-?\d+$/.test(value);
}

/** Milliseconds, from the body's seconds or the header's. */
function retryAfter(inBody: unknown, headers: Record<string, string>): number | undefined {
  const seconds = Number(inBody ?? headers['retry-after'] ?? Number.NaN);
  if (!Number.isFinite(seconds) || seconds < 0) return undefined;
  return Math.min(LONGEST_PAUSE_MS, Math.ceil(seconds * 1000));
}

/** Pure: what an answer means for the message. */
export function classify(answer: Answer): Delivery {
  if (answer.kind === 'ok') {
    const { message_id: messageId, chat } = (answer.result ?? {}) as { message_id?: unknown; chat?: unknown };
    const { id } = (chat ?? {}) as { id?: unknown };
    return {
      state: 'sent',
      ...(typeof messageId === 'number' && Number.isSafeInteger(messageId) ? { messageId } : {}),
      ...(isChatId(id) ? { chatId: String(id) } : {}),
    };
  }
  if (answer.kind === 'broken') return { state: 'retry', why: answer.why };
  const { code, description, retryAfterMs } = answer;
  const why = `${code} ${description}`;
  if (code === 400 && /message is not modified/i.test(description)) return { state: 'sent' };
  if (code === 401 || code === 403 || code === 404) return { state: 'refused', why };
  if (code === 400 && ABOUT_THE_CHAT.test(description)) return { state: 'refused', why };
  if (code === 400 || code === 413) return { state: 'invalid', why };
  return { state: 'retry', why, ...(retryAfterMs === undefined ? {} : { afterMs: retryAfterMs }) };
}

function multipart(
  fields: Record<string, unknown>,
  fileField: string,
  fileName: string,
  content: Buffer,
): { type: string; bytes: Buffer } {
  let boundary = `vpsmon-${Math.random().toString(36).slice(2)}`;
  while (content.includes(boundary)) boundary += Math.random().toString(36).slice(2);
  const head = Object.entries(fields)
    .map(
      ([name, value]) =>
        `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${typeof value === 'object' ? JSON.stringify(value) : String(value)}\r\n`,
    )
    .join('');
  const safeName = fileName.replace(/[^\w.-]/g, '_');
  const file =
    `--${boundary}\r\ncontent-disposition: form-data; name="${fileField}"; filename="${safeName}"\r\n` +
    'content-type: image/png\r\n\r\n';
  return {
    type: `multipart/form-data; boundary=${boundary}`,
    bytes: Buffer.concat([Buffer.from(head + file), content, Buffer.from(`\r\n--${boundary}--\r\n`)]),
  };
}
