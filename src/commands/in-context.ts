import { renderProblems } from '../outputs/terminal/problems.ts';
import type { CommandContext, GlobalOptions, Io } from './context.ts';
import { makeContext, type Loading } from './make-context.ts';

export type Action = (context: CommandContext) => Promise<number>;

/** Runs a command with its context and returns its exit code; 3, and everything that is wrong with it, without a usable configuration. */
export async function inContext(
  options: GlobalOptions,
  io: Io,
  action: Action,
  loading: Loading = {},
): Promise<number> {
  const context = await makeContext(options, io, loading);
  if (!('problems' in context)) return action(context);
  io.err(renderProblems(context.problems, io.color));
  return 3;
}
