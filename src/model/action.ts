import * as v from 'valibot';
import type { Severity } from './finding.ts';
import { EpochMs, Finite } from './shapes.ts';
import { formatDuration } from './text.ts';

/**
 * running: begun, the end is not known. unclear: it was done, and whether it worked could not be seen. would-do: recovery is
 * switched off. undone: what it did has been taken back, or needs no taking back any more. kept: a person said that it is meant to stay.
 */
export type ActionState = 'running' | 'worked' | 'failed' | 'unclear' | 'undone' | 'kept' | 'would-do';

/** A step of recovery, recorded before it is done. */
export type Action = {
  id: number;
  rule: 'waha' | 'queue' | 'swap' | 'loops' | 'hand';
  /** Container name, session name or `n8n`. */
  target: string;
  /** e.g. restart-session, restart-container, deactivate-workflows, stop-container, start-container, raise-limit. */
  what: string;
  /** Evidence, one plain sentence. */
  why: string;
  state: ActionState;
  startedAt: number;
  endedAt?: number;
  result?: string;
  /** What is needed to undo or to finish it: container id, workflow versions, old limit. */
  undo?: Record<string, unknown>;
  undoneAt?: number;
  /** Ids of the actions that this one takes back. */
  undoes?: number[];
  /** When it began, on a clock that never jumps: the boot, and ms since it. */
  boot?: string;
  uptimeMs?: number;
};

/** What recovery reports of a step or a rule. */
export type RecoveryReport = {
  severity: Severity;
  rule: string;
  target: string;
  /** One plain sentence. */
  text: string;
  /** Plain sentences: `Result: …`, `Why: …`, `Undo: …`. */
  details?: string[];
  /** The last log lines of a container, secrets masked. */
  logs?: string[];
};
/** `telegram`: whether it also goes there. */
export type ReportedLine = RecoveryReport & { rule: Action['rule']; telegram: boolean };

/** A moment as it is kept: the boot, and ms since it, on a clock that never jumps. */
export const KeptMoment = v.object({ startedAt: EpochMs, boot: v.string(), uptimeMs: Finite });

/** A moment on both clocks. */
export type Moment = { at: number; boot: string; uptimeMs: number };

/**
 * How many ms ago an action began. The clock of the machine may have been set since: within the same boot its uptime counts, and
 * what was done in an earlier boot is at least as old as this one.
 */
export function ageMs(began: { startedAt: number; boot?: string; uptimeMs?: number }, now: Moment): number {
  if (now.boot !== '' && began.boot === now.boot && began.uptimeMs !== undefined) {
    return Math.max(0, now.uptimeMs - began.uptimeMs);
  }
  return Math.max(0, now.at - began.startedAt, began.boot ? now.uptimeMs : 0);
}

/** What a person's undo means from then on: recovery takes nothing of the kind away for so many ms. */
export function heldText(ms: number): string {
  return `recovery does nothing of the kind again for ${formatDuration(ms)}`;
}
