import type { Clock } from '../system/types.ts';

/**
 * Telegram allows about 1 message a second to a chat, and 20 a minute to a group or channel; this stays below. Edits, and answers to a person
 * who waits for them, leave the rest of what a minute allows to messages.
 */
const GAP_MS = 1000;
const WINDOW_MS = 60_000;
const PER_WINDOW = { message: 18, answer: 16, edit: 12 };
const PER_WINDOW_PRIVATE = { message: 50, answer: 45, edit: 30 };
/** Of more than these, in all chats, nobody keeps account. */
const MOST = 500;

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 300_000;

/** How long to wait before attempt number `attempts` + 1: doubled each time, with jitter, 1 s to 5 min. */
export function backoffMs(attempts: number, random: number): number {
  const pause = FIRST_PAUSE_MS * 2 ** Math.min(attempts, 20);
  return Math.round(
    Math.min(
      LONGEST_PAUSE_MS,
      Math.max(FIRST_PAUSE_MS, Math.min(pause, LONGEST_PAUSE_MS) * (0.75 + random / 2)),
    ),
  );
}

/** Something that was sent: when, by the clock of whoever has it, and to which chat. */
export type Sent = readonly [at: number, chat: string];

/**
 * The sliding window of what was sent to each chat, in all its topics. Counts on the monotonic clock, so that a corrected system time neither
 * stops nor floods; between two processes it is handed over as times of the system clock.
 */
export function createPace(clock: Clock) {
  let sent: Sent[] = [];
  /** What this process handed over last. */
  let saved = '';
  return {
    /** Milliseconds until the next one of this kind may go to this chat. */
    waitMs(chat: string, kind: keyof typeof PER_WINDOW = 'message'): number {
      // Users have positive ids.
      const most = (/^\d/.test(chat) ? PER_WINDOW_PRIVATE : PER_WINDOW)[kind];
      const now = clock.monotonic();
      sent = sent.filter(([at]) => now - at < WINDOW_MS);
      const own = sent.flatMap(([at, to]) => (to === chat ? [at] : []));
      const gap = (own.at(-1) ?? Number.NEGATIVE_INFINITY) + GAP_MS - now;
      const full = own.length < most ? 0 : (own[own.length - most] ?? now) + WINDOW_MS - now;
      return Math.max(0, gap, full);
    },
    /** `begun`: what this gave when the call began that has ended now; between the two nobody knows when it arrives. */
    count(chat: string, begun?: number): number {
      const now = clock.monotonic();
      sent = [...sent.filter(([at]) => at !== begun), [now, chat] as const].slice(-MOST);
      return now;
    },
    /** For the next process: epoch milliseconds. */
    save(): Sent[] {
      const [now, wall] = [clock.monotonic(), clock.now()];
      const list = sent.map(([at, chat]): Sent => [Math.round(wall - (now - at)), chat]);
      saved = JSON.stringify(list);
      return list;
    },
    /**
     * Takes over what another process sent; what it had itself stays: read back after the system clock was set, it would count twice. Times that are a little in the future count as now; others were
     * written while the clock was ahead, and would count as now at every look until it is that late.
     */
    load(list: readonly Sent[]): void {
      if (JSON.stringify(list) === saved) return;
      const [now, wall] = [clock.monotonic(), clock.now()];
      const others = list
        .filter(([at]) => at - wall <= WINDOW_MS)
        .map(([at, chat]): Sent => [now - Math.max(0, wall - at), chat]);
      const isOwn = ([at, chat]: Sent) => sent.some(([own, to]) => to === chat && Math.abs(own - at) < 5);
      sent = [...sent, ...others.filter((one) => !isOwn(one))].toSorted(([a], [b]) => a - b).slice(-MOST);
    },
  };
}
