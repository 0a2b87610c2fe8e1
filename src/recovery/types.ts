import type { Config } from '../config/schema.ts';
import type { Discovered } from '../config/discover.ts';
import type { Action } from '../model/action.ts';
import type { Source } from '../model/reading.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Store } from '../store/open.ts';
import type { System } from '../system/types.ts';

/** What recovery works with. Readings come through `look`, so that the rules know no collector. */
export type RecoveryDeps = {
  system: System;
  config: Config;
  store: Store;
  /** A fresh reading of these sources. Rates of `host` are over the time since the last look, at least a second. */
  look(only: Source[]): Promise<Snapshot>;
  discovered(signal?: AbortSignal): Promise<Discovered>;
  /** Says it: recovery.log, terminal and, where it matters, Telegram. */
  say(line: SaidLine): void;
  /** True when this key was not said within the last `everyMs`; remembers that it is said now. */
  firstIn(key: string, everyMs: number): boolean;
  dryRun: boolean;
};

export type SaidLine = {
  severity: 'info' | 'warning' | 'critical';
  rule: Action['rule'];
  target: string;
  /** One plain sentence. */
  text: string;
  details?: string[];
  /** Whether it also goes to Telegram. */
  telegram: boolean;
};

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
  /** How a person undoes it by hand, one sentence; shown with the result. */
  undoHint?: string;
  /** More to tell: the last log lines. */
  details?: string[];
  /** What undoing needs; kept with the record before the step is done. */
  undo?: Record<string, unknown>;
  /** Looks again just before acting: a sentence when it is no longer needed or no longer right. */
  obsolete(): Promise<string | undefined>;
  /** Does it; `recordProgress` replaces what undoing needs, for steps of several parts. */
  run(recordProgress: (undo: Record<string, unknown>) => void): Promise<void>;
  /** Looks whether it worked. */
  verify(): Promise<{ worked: boolean; text: string }>;
};

export type Attempt =
  | { done: 'worked'; id: number; text: string }
  | { done: 'failed'; id: number; text: string }
  | { done: 'obsolete'; text: string }
  | { done: 'budget'; text: string }
  | { done: 'shadow'; text: string };

export type RuleResult = { rule: Action['rule']; found: string; attempts: Attempt[]; failed?: boolean };

/** One rule of recovery. */
export type RecoveryRule = {
  id: 'waha' | 'queue' | 'swap' | 'loops';
  run(deps: RecoveryDeps): Promise<RuleResult>;
  /** Undoes what this rule did, all of it, whatever the state of things; for `recover undo`. */
  undo(deps: RecoveryDeps): Promise<RuleResult>;
  /** An action of this rule was begun and its process died: finds out what became of it. */
  settle(deps: RecoveryDeps, action: Action): Promise<{ worked: boolean | undefined; text: string }>;
};
