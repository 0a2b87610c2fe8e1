import type { LoadOptions } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { Run, System } from '../system/types.ts';

export type GlobalOptions = { config?: string; stateDir?: string; json?: boolean; dryRun?: boolean };

/** Where a command writes: results on `out`, diagnostics on `err`. Every call is one or more whole lines. */
export type Io = {
  out(text: string): void;
  err(text: string): void;
  color: boolean;
  columns: number;
  /** Where the terminal breaks lines; undefined: it is not one, and lines stay whole for what reads them. */
  wrapAt?: number | undefined;
};

/** What every command is handed. Commands return the exit code; only cli.ts sets it. */
export type CommandContext = {
  io: Io;
  options: GlobalOptions;
  config: Config;
  system: System;
  run: Run;
  env: NodeJS.ProcessEnv;
  /** Values of all secret settings, for masking. */
  secrets: string[];
};

/** Where the configuration is looked for; tests have a place of their own. */
export function here(): Pick<LoadOptions, 'env' | 'cwd' | 'uid' | 'etcDir'> {
  return { env: process.env, cwd: process.cwd(), uid: process.getuid?.() ?? 0 };
}
