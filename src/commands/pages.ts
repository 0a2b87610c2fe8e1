import { join } from 'node:path';
import type { Command } from 'commander';
import { commandsOf } from '../outputs/docs/command-pages.ts';
import { completionScript } from '../outputs/terminal/completion.ts';
import { manConf, manVpsmon } from '../outputs/docs/man.ts';
import { ensureFolder } from '../system/folders.ts';
import { writeAtomically } from '../system/write-file.ts';
import { VERSION } from '../version.ts';

/** Writes man pages, with this date, and completion scripts into `folder`, for the packages. Called by the build. */
export function writePages(
  folder: string,
  program: Command,
  examples: ReadonlyMap<Command, readonly string[]>,
  date: string,
): void {
  ensureFolder(folder, 0o755);
  const pages = {
    'vpsmon.1': manVpsmon(commandsOf(program, examples), VERSION, date),
    'monitor.conf.5': manConf(VERSION, date),
    'vpsmon.bash': completionScript('bash', program),
    'vpsmon.zsh': completionScript('zsh', program),
    'vpsmon.fish': completionScript('fish', program),
  };
  for (const [name, text] of Object.entries(pages)) writeAtomically(join(folder, name), text, 0o644);
}
