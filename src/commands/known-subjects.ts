import { isIgnored, type Config } from '../config/schema.ts';
import { suggest } from '../config/suggest.ts';
import { silenceName } from '../incidents/silences.ts';
import { RULES } from '../model/rules.ts';
import { plain } from '../model/text.ts';
import type { Db } from '../store/db.ts';
import { lookOr } from '../store/look.ts';
import { jsonField } from '../store/rows.ts';
import type { CommandContext } from './context.ts';

/** A name that nobody knows is probably misspelt; it is silenced all the same, for a container may come later. */
export async function warnOfUnknownSubject(context: CommandContext, subject: string): Promise<void> {
  const containers = await containersNow(context);
  const names = [
    ...containers.flatMap(({ name, service = name }) => [name, service]),
    ...lookOr(context.config.stateDir, [], subjectsIn),
  ];
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

/** Services of the containers of this name, as Docker or incidents know them. */
export async function servicesNow(context: CommandContext, name: string): Promise<string[]> {
  const containers = await containersNow(context);
  return [
    ...servicesOf(name, containers),
    ...lookOr(context.config.stateDir, [], (db) => servicesIn(db, name)),
  ];
}

/** The same of these containers. */
export function servicesOf(name: string, containers: readonly Container[]): string[] {
  const wanted = silenceName(name);
  return containers.flatMap((one) => (one.name.toLowerCase() === wanted && one.service) || []);
}

type Container = { name: string; service?: string };

async function containersNow({ system }: CommandContext): Promise<Container[]> {
  try {
    const containers = await system.docker.list(AbortSignal.timeout(2000));
    return containers.map(({ name, labels }) => {
      const service = labels['com.docker.compose.service'];
      return service === undefined ? { name } : { name, service };
    });
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

/** Services that incidents of this name were of. */
export function servicesIn(db: Db, name: string): string[] {
  const rows = db
    .prepare(
      `SELECT DISTINCT ${jsonField('alias')} AS service FROM incidents
       WHERE lower(subject) = ? AND service IS NOT NULL`,
    )
    .all(silenceName(name)) as { service: string }[];
  return rows.map((row) => row.service);
}
