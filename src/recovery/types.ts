import type { Config } from '../config/schema.ts';
import type { FlightSample } from '../model/recording.ts';
import type { Discovered } from '../model/targets.ts';
import type { Action, Moment, ReportedLine } from '../model/action.ts';
import type { Snapshot, Source } from '../model/sources.ts';
import type { Store } from '../store/open.ts';
import type { System } from '../system/types.ts';

/** What recovery works with. Readings come through `look`, so that the rules know no collector. */
export type RecoveryDeps = {
  system: System;
  config: Config;
  store: Store;
  /**
   * A fresh reading of these sources, each within 5 s; where Docker is among them, within a minute. Rates of `host` are over the time since
   * the last look, at least a second.
   */
  look(only: Source[]): Promise<Snapshot>;
  /** The last ten minutes as the monitor's flight recorder wrote them down; none where no monitor runs. */
  recent(): readonly FlightSample[];
  /** The same as it was when this process began, read once; none where the monitor wrote nothing down shortly before. */
  before(): readonly FlightSample[];
  discovered(): Promise<Discovered>;
  /** Webhooks that n8n has registered for these workflows; undefined where its database cannot be read. */
  registeredWebhooks(ids: readonly string[]): Promise<Map<string, number> | undefined>;
  /** A container was started anew: the next `discovered` looks again. */
  rediscover(): void;
  /** Now, on the clock that people see and on one that never jumps. */
  moment(): Moment;
  /** Reports it: recovery.log, terminal and, where it matters, Telegram. */
  report(line: ReportedLine): void;
  /** True when this key was not sent within the last `everyMs`; remembers that it is sent now. */
  firstIn(key: string, everyMs: number): boolean;
  dryRun: boolean;
};

/** `over`: what the step would take back needs no taking back any more. */
export type Obsolete = string | { over: string } | undefined;
/**
 * `worked` undefined: it could not be seen. `details`: further lines of the report. `nothingDone`: for sure nothing of it was done, even where
 * `run` threw; what `worked` all the same had become so by itself.
 */
export type Outcome = { worked: boolean | undefined; text: string; details?: string[]; nothingDone?: true };

/** One step of a rule, prepared but not done. */
export type Step = {
  rule: Action['rule'];
  target: string;
  /** e.g. `restart-session`. */
  what: string;
  /** In words, with the target: "restart the WhatsApp session default". */
  words: string;
  /** The evidence, one plain sentence. */
  why: string;
  /** A person asked for it: no budget, and it is done where ENABLE_AUTO_RECOVERY is false, too. */
  byHand?: boolean;
  /** The budgets count for it although a person asked: it was asked for from afar, where a finger slips easily. */
  limited?: boolean;
  /** Its result goes to whoever asked, not to Telegram. */
  quiet?: boolean;
  /** How it is reported when it worked; default info. A stop is something that people should read. */
  severity?: 'warning' | 'critical';
  /** How a person undoes it by hand, one sentence; shown with the result. */
  undoHint?: string;
  logs?: string[];
  /** That it failed is sent once in so many ms; default an hour. */
  reportEveryMs?: number;
  /** What undoing (or finishing) it needs; kept with the record before the step is done. */
  undo?: Record<string, unknown>;
  /** The step takes back what these actions did: no budget limits it. */
  undoes?: number[];
  /** Looks again just before acting: why it is no longer needed or no longer right. */
  obsolete(): Promise<Obsolete>;
  /** Does it; `recordProgress` replaces what undoing needs, for steps of several parts. */
  run(recordProgress: (undo: Record<string, unknown>) => void): Promise<void>;
  /** Looks whether it worked; waits for it where `ran`, looks only once where `run` failed. */
  verify(ran: boolean): Promise<Outcome>;
};

export type Attempt =
  /** Without an id: what a person asked for could not even be begun. */
  | { done: 'worked' | 'failed'; id?: number; text: string }
  /** Enough was done; `inAll`: not only to this target. */
  | { done: 'budget'; text: string; inAll: boolean }
  /** obsolete: not needed, or not right, any more. shadow: only reported. person: only a person can help. */
  | { done: 'obsolete' | 'shadow' | 'person'; text: string };

export type RuleResult = {
  rule: Action['rule'];
  /** What it saw, one plain sentence. */
  found: string;
  attempts: Attempt[];
  /** After a person's undo: so long the rule takes nothing away; `found` says so, too. */
  heldMs?: number;
  /** The rule could not do its work. */
  failed?: boolean;
  /** What it has to know should be there and could not be read: a person should look. */
  blind?: boolean;
};

/** One rule of recovery. */
export type RecoveryRule = {
  id: 'waha' | 'queue' | 'swap' | 'loops';
  run(deps: RecoveryDeps): Promise<RuleResult>;
  /** Undoes what this rule did, all of it or these actions only, whatever the state of things; for `recover undo`. */
  undo(deps: RecoveryDeps, only?: ReadonlySet<number>): Promise<RuleResult>;
  /** An action of this rule was begun and its process died: finds out what became of it, and finishes what must not stay half done. */
  outcomeOf(deps: RecoveryDeps, action: Action): Promise<Outcome>;
};
