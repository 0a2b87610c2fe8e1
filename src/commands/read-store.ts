import { errorText } from '../model/text.ts';
import type { Db } from '../store/db.ts';
import { openToLook } from '../store/look.ts';
import type { CommandContext } from './context.ts';

/**
 * What `work` finds in the state folder, of which nothing is touched; undefined where it cannot be read, with the reason on stderr.
 * `what`: what is looked for. `nothing`: what it is where nothing was kept yet; a sentence about that, with `hint`, is printed.
 */
export function readStore<T>(
  { io, config }: Pick<CommandContext, 'io' | 'config'>,
  what: string,
  { nothing, hint }: { nothing: T; hint?: string },
  work: (db: Db) => T,
): T | undefined {
  const look = openToLook(config.stateDir);
  if ('none' in look) {
    if (hint !== undefined) io.err(`Nothing is recorded yet: ${look.none}. ${hint}`.trim());
    return nothing;
  }
  if ('refused' in look) {
    io.err(
      `vpsmon: ${look.refused}. Another user's monitor? Try it with sudo, or name the folder with --state-dir.`,
    );
    return undefined;
  }
  try {
    return work(look.db);
  } catch (error) {
    io.err(`vpsmon: ${what} cannot be read: ${errorText(error)}`);
    return undefined;
  } finally {
    look.close();
  }
}
