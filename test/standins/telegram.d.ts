/** A message that the stand-in accepted, in the order of acceptance. */
export type SentMessage = {
  id: number;
  /** Epoch ms of acceptance. */
  at: number;
  method: 'sendMessage' | 'sendPhoto';
  chatId: string;
  /** As it was sent: HTML where parseMode is HTML. */
  text: string;
  /** What a person reads: without tags, entities decoded. */
  plain: string;
  parseMode: string | undefined;
  silent: boolean;
  threadId?: number;
  /** Id of the message that it answers, where that is there. */
  replyTo?: number;
  keyboard?: Keyboard;
  photo?: { filename: string; bytes: number; content: Buffer };
};

export type Keyboard = { text: string; callback_data?: string }[][];
export type Edit = {
  at: number;
  messageId: number;
  chatId: string;
  /** As it was sent; undefined: only the buttons. */
  text: string | undefined;
  plain: string;
  keyboard: Keyboard;
};
export type User = { id: number; is_bot: boolean; first_name: string; username?: string };

export type Call = {
  at: number;
  method: string;
  params: Record<string, unknown>;
  /** 0: no answer was given. */
  status: number;
  description?: string;
  fault?: string;
};

/** Faults strike sendMessage and sendPhoto unless `method` names another. */
export type FaultKind =
  | '500'
  | 'html502'
  | 'html200'
  | 'empty'
  | 'garbage'
  | 'reset'
  | 'reset-half-way'
  | 'hang'
  /** The message is accepted, the answer is lost. */
  | 'accept-then-drop'
  | 'accept-then-hang'
  /** It is accepted, and answered when `until` resolves. */
  | 'accept-then-slow'
  /** With retry_after in body and header. */
  | '429'
  /** With the header only. */
  | '429-header'
  /** Answers as usual, `ms` later. */
  | 'slow'
  /** Answers `status` with `body`. */
  | 'answer';
export type Fault =
  | FaultKind
  | {
      kind: FaultKind;
      method?: string;
      /** Seconds. */
      retryAfter?: number;
      ms?: number;
      until?: Promise<unknown>;
      status?: number;
      body?: unknown;
    };

export type StandInChat = {
  id: number;
  type?: 'private' | 'group' | 'supergroup' | 'channel';
  title?: string;
  username?: string;
  first_name?: string;
  state?:
    | 'ok'
    | 'kicked'
    | 'blocked'
    | 'readonly'
    | 'left'
    | 'deleted'
    | 'deactivated'
    | 'not-started'
    | 'no-admin'
    | 'muted';
  /** A forum: the ids of its topics. */
  topics?: number[];
  closedTopics?: number[];
};

export type Telegram = {
  /** For TELEGRAM_API_ROOT. */
  url: string;
  port: number;
  token: string;
  /** The first chat, for TELEGRAM_CHAT_ID. */
  chatId: string;
  /** For the configuration of a monitor that is to write to it. */
  settings: { TELEGRAM_API_ROOT: string; TELEGRAM_BOT_TOKEN: string; TELEGRAM_CHAT_ID: string };
  /** Live: accepted messages. */
  sent: SentMessage[];
  /** Live: accepted edits, and answers to callback queries. */
  edits: Edit[];
  answers: { at: number; queryId: string; text: string; alert: boolean }[];
  /** What setMyCommands set last. */
  commands(): { command: string; description: string }[] | undefined;
  /** A message as people see it now. */
  message(
    chatId: string | number,
    id: number,
  ): { id: number; plain: string; keyboard: Keyboard; foreign?: boolean } | undefined;
  deleteMessage(chatId: string | number, id: number): void;
  /** Somebody taps a button, named by its text, or forges one with this data; `chatId`: in another chat. inaccessible: as Telegram shows a message that it has not at hand. old: beyond the time for an answer. Returns the query's id. */
  tap(
    message: { chatId: string; id: number },
    button: string,
    from?: User,
    chatId?: string | number,
    more?: { inaccessible?: boolean; old?: boolean },
  ): string;
  push(update: Record<string, unknown>): void;
  /** Whether a long poll waits. */
  polling(): boolean;
  /** Live: every call with a well-formed token. */
  calls: Call[];
  /** Queues faults, each for one call. */
  fail(...faults: Fault[]): void;
  pendingFaults(): number;
  /** What the next call of this method meets. */
  nextFault(method: string): FaultKind | undefined;
  /** A fault for every call, until called with undefined. */
  always(fault: Fault | undefined): void;
  setChat(chat: StandInChat): void;
  removeChat(id: number | string): void;
  /** The group becomes a supergroup with another id. */
  migrate(from: number | string, to: number | string): void;
  /** Somebody writes to the bot: what getUpdates tells. */
  write(chat: StandInChat, text: string, at?: number, more?: Record<string, unknown>): { message_id: number };
  setWebhook(on: boolean): void;
  setToken(token: string): void;
  waitFor(count: number, timeoutMs?: number): Promise<void>;
  /** Looked at after every call. */
  waitUntil(test: () => boolean, timeoutMs?: number): Promise<void>;
  clear(): void;
  close(): Promise<void>;
};

export const DEFAULT_TOKEN: string;
export const DEFAULT_CHAT: string;
export function startTelegram(options?: {
  token?: string;
  username?: string;
  chats?: StandInChat[];
  port?: number;
  host?: string;
  /** How much later the second conflict in a row is told; default 3 s. */
  conflictDelayMs?: number;
  /** How long who asks for the same updates again at once is kept waiting; default 3 s, 0: not at all. */
  sameAgainMs?: number;
  /** By which clock messages are counted for the limits. */
  now?: () => number;
  limits?: { perSecond?: number; perMinute?: number };
  /** Serves /standin/* for tests that run it as a process. */
  control?: boolean;
  /** Messages that are there already. */
  earlier?: readonly Omit<SentMessage, 'method' | 'text' | 'parseMode'>[];
  onSent?: (message: SentMessage) => void;
}): Promise<Telegram>;
/** Throws with Telegram's sentences; returns the text without tags. */
export function parseHtml(html: string): string;
