import type { Machine } from '../system/machine.ts';
import { errorText } from '../model/text.ts';
import type { Run } from '../system/types.ts';
import type { PlanStep } from './plan.ts';

export type Executed =
  | { state: 'done'; done: PlanStep[] }
  | { state: 'failed'; done: PlanStep[]; failed: PlanStep; why: string; left: PlanStep[] };

/** A unit that takes its time to start or to stop is no failure. */
const COMMAND_TIMEOUT_MS = 240_000;

/** Does the steps one after another and stops at the first one that fails. `onDone` is called after each. */
export async function execute(
  steps: PlanStep[],
  machine: Machine,
  run: Run,
  onDone: (step: PlanStep) => void,
): Promise<Executed> {
  for (const [i, step] of steps.entries()) {
    try {
      await perform(step, machine, run);
    } catch (error) {
      return {
        state: 'failed',
        done: steps.slice(0, i),
        failed: step,
        why: errorText(error, 1000),
        left: steps.slice(i + 1),
      };
    }
    onDone(step);
  }
  return { state: 'done', done: steps };
}

async function perform(step: PlanStep, machine: Machine, run: Run): Promise<void> {
  switch (step.kind) {
    case 'folder':
      return machine.makeFolder(step.path, step.mode);
    case 'write':
      return machine.write(step.path, step.content, step.mode);
    case 'link':
      return machine.link(step.path, step.target);
    case 'remove':
      return machine.remove(step.path);
    case 'remove-empty':
      return machine.removeEmptyFolder(step.path);
    case 'copy':
      return copyRuntime(step, machine);
    case 'run':
      return runCommand(step, run);
  }
}

/** Copied beside and renamed, so that the folder of a version is whole or not there. */
function copyRuntime(step: Extract<PlanStep, { kind: 'copy' }>, machine: Machine): void {
  const partial = `${step.path}.partial`;
  machine.remove(partial);
  const folders = new Set<string>();
  for (const file of step.files) {
    const parts = file.path.split('/').slice(0, -1);
    for (let depth = 0; depth <= parts.length; depth += 1)
      folders.add([partial, ...parts.slice(0, depth)].join('/'));
  }
  for (const folder of [...folders].toSorted()) machine.makeFolder(folder, 0o755);
  for (const file of step.files) machine.copyIn(file.from, `${partial}/${file.path}`, file.mode);
  machine.remove(step.path);
  machine.rename(partial, step.path);
}

async function runCommand(step: Extract<PlanStep, { kind: 'run' }>, run: Run): Promise<void> {
  const [file = '', ...args] = step.command;
  const result = await run(file, args, { timeoutMs: COMMAND_TIMEOUT_MS, env: { LC_ALL: 'C' } });
  if (result.exitCode === 0 || step.tolerate) return;
  const output = (result.stderr || result.stdout).trim();
  throw new Error(`${step.command.join(' ')} ended with ${result.exitCode}${output ? `: ${output}` : ''}`);
}
