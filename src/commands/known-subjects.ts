import { isIgnored, type Config } from '../config/schema.ts';
import { suggest } from '../config/suggest.ts';
import { silenceName } from '../incidents/silences.ts';
import { RULES } from '../model/rules.ts';
import { plain } from '../model/text.ts';
import type { Db } from '../store/db.ts';
import { lookOr } from '../store/look.ts';
import type { CommandContext } from './context.ts';

/** A name that nobody knows is probably misspelt; it is silenced all the same, for a container may come later. */
export async function warnOfUnknownSubject(context: CommandContext, subject: string): Promise<void> {
  const names = [...(await containerNames(context)), ...lookOr(context.config.stateDir, [], subjectsIn)];
  const why = unknownSubject(context.config, subject, names);
  if (why === undefined) return;
  context.io.err(`vpsmon: ${why}${context.options.dryRun ? '' : ' It is silenced all the same.'}`);
}

/** Pure: one plain sentence about a name that nobody knows; undefined for others. `names`: containers, and what incidents were about. */
export function unknownSubject(
  { settings, extra }: Config,
  subject: string,
  names: readonly string[],
): string | undefined {
  const wanted = silenceName(subject);
  if (wanted === 'all' || wanted.startsWith('/')) return undefined;
  // What is named in the settings, if only as essential, is no misspelling, whether or not it runs here today.
  const { ESSENTIAL_CONTAINERS, MONITORED_SERVICES } = settings;
  const named = [...ESSENTIAL_CONTAINERS, ...MONITORED_SERVICES, ...extra.services.map(({ name }) => name)];
  const known = [...Object.keys(RULES), 'host', ...named, ...names];
  if (known.some((name) => name.toLowerCase() === wanted || isIgnored([wanted], { name }))) return undefined;
  const meant = suggest(subject, ['all', ...known]);
  return `no container, service or rule is called ${plain(subject, 80)}${meant === undefined ? '.' : `; did you mean ${plain(meant, 80)}?`}`;
}

async function containerNames({ system }: CommandContext): Promise<string[]> {
  try {
    const containers = await system.docker.list(AbortSignal.timeout(2000));
    return containers.flatMap(({ name, labels }) => [name, labels['com.docker.compose.service'] ?? name]);
  } catch {
    return []; // Without Docker nothing can be checked; the incidents may still know the name.
  } finally {
    system.docker.close();
  }
}

/** What incidents were about. */
export function subjectsIn(db: Db): string[] {
  const rows = db.prepare('SELECT DISTINCT subject FROM incidents').all() as { subject: string }[];
  return rows.map((row) => row.subject);
}
