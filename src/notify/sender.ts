import { basename } from 'node:path';
import type { Config } from '../config/schema.ts';
import type { Delivery } from '../model/message.ts';
import { errorText } from '../model/text.ts';
import type { Db } from '../store/db.ts';
import type { Step } from '../store/outbox.ts';
import type { Clock, Http, Log } from '../system/types.ts';
import { effectiveChat, rememberMove, rememberValidated, validatedChat } from './chat.ts';
import { classify, createTelegram, type Telegram } from './telegram.ts';

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
    chatId: () => effectiveChat(db, config).chatId,
    onMigrated(to) {
      log.warn(
        `The Telegram group was upgraded: messages go to ${to} from now on. Set TELEGRAM_CHAT_ID=${to} to make it last.`,
      );
      try {
        rememberMove(db, config, to, clock.now());
      } catch (error) {
        log.warn(`The new chat id cannot be saved: ${errorText(error)}`);
      }
    },
    ...(deps.signal ? { signal: deps.signal } : {}),
    ...(deps.timeoutMs === undefined ? {} : { timeoutMs: deps.timeoutMs }),
  });
}

/** Sends one step, after the chat was looked up once for this token and chat id. */
export function createSender(deps: SenderDeps) {
  const { db, config, clock, log } = deps;
  const telegram = telegramFor(deps);
  let chatKnown = false;

  async function checkChat(): Promise<Delivery> {
    if (validatedChat(db, config)) return { state: 'sent' };
    const answer = await telegram.getChat();
    if (answer.kind === 'ok') {
      try {
        const chat = rememberValidated(db, config, answer.result, clock.now());
        log.info(`Telegram messages go to ${chat.title} (${chat.type}, ${chat.id}).`);
      } catch (error) {
        log.warn(`The Telegram chat cannot be remembered: ${errorText(error)}`);
      }
    }
    const outcome = classify(answer);
    return outcome.state === 'invalid' ? { state: 'refused', why: outcome.why } : outcome;
  }

  return {
    async send(step: Step, silent: boolean): Promise<Delivery> {
      if (!chatKnown) {
        const checked = await checkChat();
        if (checked.state !== 'sent') return checked;
        chatKnown = true;
      }
      if ('html' in step) return telegram.sendText(step.html, silent);
      let png: Buffer;
      try {
        png = deps.readPhoto(step.photo);
      } catch (error) {
        return { state: 'invalid', why: `the picture cannot be read: ${errorText(error)}` };
      }
      return telegram.sendPhoto(png, basename(step.photo));
    },
  };
}
