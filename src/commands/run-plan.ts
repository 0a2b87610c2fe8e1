import { execute } from '../install/execute.ts';
import type { Plan } from '../install/plan.ts';
import { renderFailure, renderNotes, renderPlan, renderStep } from '../outputs/terminal/plan.ts';
import { styleFor } from '../outputs/terminal/style.ts';
import type { Machine } from '../system/machine.ts';
import type { CommandContext } from './context.ts';
import { print, printJson } from './io.ts';

/** What differs between `install` and `uninstall`. */
export type PlanTexts = {
  /** The documented shape of `--json`. */
  json: object;
  /** What to do where a step failed. */
  hints: string[];
  /** Printed at the end, below the notes. */
  done: string[];
};

/** `--dry-run` of a plan: every file and command; 0. */
export function showPlan({ io, options }: CommandContext, plan: Plan, json: object): number {
  if (options.json) printJson(io, json);
  else io.out(renderPlan(plan, io.color, io.wrapAt));
  return 0;
}

/** Carries the plan out, with a line for each step; 0, or 2 where a step failed. With --json, stdout holds the JSON and nothing else. */
export async function runPlan(
  { io, options, run }: CommandContext,
  plan: Plan,
  machine: Machine,
  { json, hints, done }: PlanTexts,
): Promise<number> {
  const report = options.json ? io.err : io.out;
  const outcome = await execute(plan.steps, machine, run, (step) => report(renderStep(step, io.color)));
  if (outcome.state === 'failed') {
    io.err(renderFailure({ ...outcome, hints }, io.color));
    return 2;
  }
  const text = [...renderNotes(plan.notes, styleFor(io.color)), '', ...done];
  if (options.json) printJson(io, { ...json, done: true });
  else print(io, text.join('\n'));
  return 0;
}
