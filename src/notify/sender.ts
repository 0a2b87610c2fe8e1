import { basename } from 'node:path';
import type { Config } from '../config/schema.ts';
import type { Delivery } from '../model/message.ts';
import { errorText } from '../model/text.ts';
import type { Db } from '../store/db.ts';
import type { MessagePart } from '../store/outbox.ts';
import type { Clock, Http, Log } from '../system/types.ts';
import { effectiveChat, rememberMove, rememberValidated, validatedChat } from './chat.ts';
import type { Place } from './targets.ts';
import { classify, createTelegram, type SendOptions, type Telegram } from './telegram.ts';

export type SenderDeps = {
  db: Db;
  config: Config;
  http: Http;
  clock: Clock;
  log: Log;
  readPhoto(path: string): Buffer;
  signal?(): AbortSignal;
  timeoutMs?: number;
};

/** The Bot API for the configured bot and chat; remembers when the chat moves. */
export function telegramFor(deps: Omit<SenderDeps, 'readPhoto'>): Telegram {
  const { db, config, clock, log } = deps;
  return createTelegram({
    http: deps.http,
    token: config.settings.TELEGRAM_BOT_TOKEN,
    apiRoot: config.settings.TELEGRAM_API_ROOT,
    chatId: (chat) => effectiveChat(db, config, chat).chatId,
    onMigrated(to, chat) {
      const instead = chat === undefined ? '' : ` instead of ${chat}`;
      log.warn(
        `The Telegram group was upgraded: messages go to ${to} from now on. Set TELEGRAM_CHAT_ID=${to}${instead} to make it last.`,
      );
      try {
        rememberMove(db, config, to, clock.now(), chat);
      } catch (error) {
        log.warn(`The new chat id cannot be saved: ${errorText(error)}`);
      }
    },
    ...(deps.signal ? { signal: deps.signal } : {}),
    ...(deps.timeoutMs === undefined ? {} : { timeoutMs: deps.timeoutMs }),
  });
}

/** Sends and edits, after the chat was looked up once for this token and chat id. */
export function createSender(deps: SenderDeps) {
  const { db, config, clock, log } = deps;
  const telegram = telegramFor(deps);
  const known = new Set<string>();

  /** Undefined where the chat is known to be there. */
  async function checkChat(chat: string): Promise<Exclude<Delivery, { state: 'sent' }> | undefined> {
    if (known.has(chat)) return undefined;
    if (validatedChat(db, config, chat)) return void known.add(chat);
    const answer = await telegram.getChat(chat);
    if (answer.kind === 'ok') {
      known.add(chat);
      try {
        const found = rememberValidated(db, config, answer.result, clock.now(), chat);
        log.info(`Telegram messages go to ${found.title} (${found.type}, ${found.id}).`);
      } catch (error) {
        log.warn(`The Telegram chat cannot be remembered: ${errorText(error)}`);
      }
      return undefined;
    }
    const outcome = classify(answer);
    if (outcome.state === 'sent') return undefined;
    return outcome.state === 'invalid' ? { state: 'refused', why: outcome.why } : outcome;
  }

  return {
    async send(step: MessagePart, to: SendOptions & { place: Place }): Promise<Delivery> {
      const refused = await checkChat(to.place.chat);
      if (refused) return refused;
      if ('html' in step) return telegram.sendText(step.html, to);
      let png: Buffer;
      try {
        png = deps.readPhoto(step.photo);
      } catch (error) {
        return { state: 'invalid', why: `the picture cannot be read: ${errorText(error)}` };
      }
      return telegram.sendPhoto(png, basename(step.photo), to, step.caption);
    },
    async edit(messageId: number, html: string, to: SendOptions & { place: Place }): Promise<Delivery> {
      return (await checkChat(to.place.chat)) ?? telegram.editText(messageId, html, to);
    },
  };
}
