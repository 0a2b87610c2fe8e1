import { loadConfig } from '../config/load.ts';
import { secretsOf } from '../config/secrets.ts';
import type { Key, Problem } from '../config/schema.ts';
import { renderProblems } from '../outputs/terminal/problems.ts';
import { run } from '../system/run.ts';
import { openSystem } from '../system/system.ts';
import { here, type CommandContext, type GlobalOptions, type Io } from './context.ts';

export type Loading = {
  /** No warnings about the configuration: the command shows them itself. */
  quiet?: boolean;
  /** Settings that are about to be replaced: what is wrong with them in a file is no error. */
  replaceable?: readonly Key[];
};

/** Loads the configuration and opens the outside world. Without a usable configuration: everything that is wrong with it. */
export async function makeContext(
  options: GlobalOptions,
  io: Io,
  { quiet = false, replaceable = [] }: Loading = {},
): Promise<CommandContext | { problems: Problem[] }> {
  const loaded = await loadConfig({ ...options, ...here(), replaceable });
  if ('problems' in loaded) return loaded;
  const { config } = loaded;
  const secrets = secretsOf(config);
  const system = openSystem({
    dockerHost: config.settings.DOCKER_HOST,
    hostRoot: config.settings.HOST_ROOT,
    logLevel: config.settings.LOG_LEVEL,
    secrets,
  });
  if (config.warnings.length > 0 && !quiet) io.err(renderProblems(config.warnings, io.color));
  return { io, options, config, system, run, env: process.env, secrets };
}
