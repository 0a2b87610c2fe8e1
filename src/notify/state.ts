import type { Config } from '../config/schema.ts';
import type { Message } from '../model/message.ts';
import type { Db } from '../store/db.ts';
import { alertCounts, openOutbox, type Outbox } from '../store/outbox.ts';
import { effectiveChat, isConfigured, validatedChat, type ValidatedChat } from './chat.ts';
import { allTargets, targetOf } from './targets.ts';

export type DeliveryState = {
  configured: boolean;
  /** Why Telegram refuses, while it does. */
  refused?: string;
  /** Why the last attempt failed, while messages wait because of it. */
  failing?: string;
  waiting: number;
  /** Epoch ms: when the oldest waiting message happened. */
  oldestWaitingAt?: number;
  /** Messages that Telegram took, ever. */
  sentTotal: number;
  /** The chat that getChat confirmed, once it did. */
  chat?: ValidatedChat;
  /** The configured chat id, when Telegram moved the group to another one. */
  movedFrom?: string;
};

/** How delivery is doing, from the state folder: for /health, `status` and `doctor`, whichever process sends. */
export function deliveryState(
  db: Db,
  config: Config,
  outbox: Outbox = openOutbox(db),
  unsaved: readonly Message[] = [],
): DeliveryState {
  const heads = outbox.heads();
  const [head] = heads;
  const refused = refusalOf(heads, config);
  const { waiting, oldestAt } = outbox.backlog();
  const oldest = Math.min(oldestAt ?? Number.POSITIVE_INFINITY, ...unsaved.map((message) => message.at));
  const chat = validatedChat(db, config);
  const { movedFrom } = effectiveChat(db, config);
  return {
    configured: isConfigured(config),
    ...(refused === undefined ? {} : { refused }),
    ...(refused === undefined && head?.lastError !== undefined ? { failing: head.lastError } : {}),
    waiting: waiting + unsaved.length,
    ...(Number.isFinite(oldest) ? { oldestWaitingAt: oldest } : {}),
    sentTotal: alertCounts(db).sent,
    ...(chat ? { chat } : {}),
    ...(movedFrom === undefined ? {} : { movedFrom }),
  };
}

/** Why the first message of a chat is refused, where one is; with the chat, where there are several. */
export function refusalOf(heads: ReturnType<Outbox['heads']>, config: Config): string | undefined {
  const several = allTargets(config).length > 1;
  const whys = heads
    .filter(({ state }) => state === 'refused')
    .map((row) => (row.lastError ?? 'refused') + (several ? ` (chat ${targetOf(config, row)})` : ''));
  return whys.length === 0 ? undefined : whys.join('; ');
}
