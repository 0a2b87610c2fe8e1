import { dirname } from 'node:path';
import type { InstallFacts } from './facts.ts';
import type { Plan } from './step.ts';

/** Missing folders above it come first. All are recorded, so that `uninstall` removes them again when they are empty. */
export function planFolder(
  facts: InstallFacts,
  plan: Plan,
  made: Set<string>,
  path: string,
  mode: number,
  why: string,
): void {
  if (facts.info(path)) {
    plan.unchanged.push(path);
    return;
  }
  if (made.has(path)) return;
  const parent = dirname(path);
  if (!facts.info(parent)) planFolder(facts, plan, made, parent, 0o755, 'was missing');
  made.add(path);
  plan.steps.push({ kind: 'folder', path, mode, why });
}
