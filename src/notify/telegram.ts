import type { Delivery } from '../model/message.ts';
import { errorText, maskSecrets, plain } from '../model/text.ts';
import type { Http } from '../system/types.ts';
import { htmlToPlain, TEXT_MAX } from './html.ts';

export type TelegramOptions = {
  http: Http;
  token: string;
  /** TELEGRAM_API_ROOT. */
  apiRoot: string;
  /** Where messages go: the configured chat, or the one that it was moved to. */
  chatId(): string;
  /** The group became a supergroup with another id. */
  onMigrated?(to: string): void;
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

const TOKEN = /^\d+:[A-Za-z0-9_-]+$/;
/** A retry_after beyond this is a mistake of whoever answers. */
const LONGEST_PAUSE_MS = 86_400_000;
const MAX_MOVES = 3;
/** Said about the chat or the bot, not about the text: the next message fares no better. */
const ABOUT_THE_CHAT =
  /chat not found|chat_id is empty|peer_id_invalid|chat_id_invalid|not enough rights|have no rights|need administrator rights|chat_write_forbidden|chat_send_\w+_forbidden|user is deactivated|user not found|group is deactivated|chat is deactivated|chat was deleted|chat_restricted|topic_closed|bot is not a member|bot was /i;

/** The Bot API, as far as vpsmon uses it. Nothing here throws, and no text that it gives contains the token. */
export function createTelegram(options: TelegramOptions) {
  const { http, token } = options;
  const hide = (text: string) => plain(maskSecrets(text, [token, token.split(':')[1] ?? '']), 300);

  async function call(method: string, body: { type: string; bytes: string | Buffer }): Promise<Answer> {
    if (!TOKEN.test(token))
      return { kind: 'error', code: 401, description: 'TELEGRAM_BOT_TOKEN is no bot token (123456:ABC...)' };
    try {
      const {
        status,
        headers,
        body: text,
      } = await http({
        url: `${options.apiRoot.replace(/\/+$/, '')}/bot${token}/${method}`,
        method: 'POST',
        headers: { 'content-type': body.type, accept: 'application/json' },
        body: body.bytes,
        timeoutMs: options.timeoutMs ?? 15_000,
        maxBytes: 4_194_304,
        ...(options.signal ? { signal: options.signal() } : {}),
      });
      return readAnswer(status, headers, text, hide);
    } catch (error) {
      return { kind: 'broken', why: hide(errorText(error)) };
    }
  }
  const callJson = (method: string, parameters: Record<string, unknown>) =>
    call(method, { type: 'application/json', bytes: JSON.stringify(parameters) });

  /** Follows a group to its new id. */
  async function toChat(send: (chatId: string) => Promise<Answer>): Promise<Answer> {
    let chatId = options.chatId();
    for (let moves = 0; ; moves++) {
      const answer = await send(chatId);
      if (answer.kind !== 'error' || answer.migrateTo === undefined || moves >= MAX_MOVES) return answer;
      chatId = answer.migrateTo;
      options.onMigrated?.(chatId);
    }
  }

  return {
    getMe: () => callJson('getMe', {}),
    getChat: () => toChat((chatId) => callJson('getChat', { chat_id: chatId })),
    /** What people wrote to the bot lately; nothing is taken away from other readers. */
    getUpdates: (limit: number) => callJson('getUpdates', { limit, timeout: 0 }),

    /**
     * Waits up to `timeoutSec` for what people write; `offset` is the first update that is wanted, those before it are
     * forgotten by Telegram. Keep `timeoutSec` below the time-out of a call.
     */
    pollUpdates: (offset: number | undefined, timeoutSec: number) =>
      callJson('getUpdates', {
        limit: 100,
        timeout: timeoutSec,
        ...(offset === undefined ? {} : { offset }),
      }),

    /** Sends one text of at most 4,096 characters; `silent`: without a sound on the phone. HTML that is not understood goes once more as plain text. */
    async sendText(html: string, silent = false): Promise<Delivery> {
      const send = (parameters: Record<string, unknown>) =>
        toChat((chatId) =>
          callJson('sendMessage', {
            chat_id: chatId,
            disable_web_page_preview: true,
            ...(silent ? { disable_notification: true } : {}),
            ...parameters,
          }),
        );
      const answer = await send({ text: html, parse_mode: 'HTML' });
      const first = classify(answer);
      if (first.state !== 'invalid') return first;
      return classify(await send({ text: htmlToPlain(html).slice(0, TEXT_MAX).toWellFormed() }));
    },

    /** Sends a PNG of at most 10 MB. */
    async sendPhoto(png: Buffer, fileName: string): Promise<Delivery> {
      return classify(
        await toChat((chatId) => call('sendPhoto', multipart({ chat_id: chatId }, 'photo', fileName, png))),
      );
    },
  };
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
  if (answer.kind === 'ok') return { state: 'sent' };
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
  fields: Record<string, string>,
  fileField: string,
  fileName: string,
  content: Buffer,
): { type: string; bytes: Buffer } {
  let boundary = `vpsmon-${Math.random().toString(36).slice(2)}`;
  while (content.includes(boundary)) boundary += Math.random().toString(36).slice(2);
  const head = Object.entries(fields)
    .map(
      ([name, value]) =>
        `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
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
