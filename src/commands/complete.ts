import { listSilences } from '../incidents/silences.ts';
import { RULES } from '../model/rules.ts';
import { plain } from '../model/text.ts';
import { allActionsToUndo } from '../store/actions.ts';
import { incidentsSince } from '../store/incidents.ts';
import { lookAtLeftOff } from '../store/left-off.ts';
import { lookOr } from '../store/look.ts';
import { jsonField } from '../store/rows.ts';
import type { Db } from '../store/db.ts';
import type { GlobalOptions } from './context.ts';
import { makeContext } from './make-context.ts';

/** bash evaluates what it is offered, and names come from containers: only letters that mean nothing to a shell. */
const HARMLESS = /^[\p{L}\p{N}_./@:+-]{1,200}$/u;
const MONTH_MS = 30 * 86_400_000;
const MOST = 200;

/**
 * `vpsmon __complete WHAT`, which the completion scripts call: one candidate a line, with a tab and a description where there is one.
 * Reads the state folder only. Whatever goes wrong, it prints what it has, says nothing and returns 0.
 */
export async function complete(
  options: GlobalOptions,
  what: string,
  write: (text: string) => void,
): Promise<number> {
  const silent = { out: () => undefined, err: () => undefined, color: false, columns: 80 };
  try {
    const context = await makeContext(options, silent);
    if ('problems' in context) return 0;
    const now = context.system.clock.now();
    const lines = candidates(what, context.config.stateDir, now).filter(([name]) => HARMLESS.test(name));
    const unique = new Map(lines.map(([name, about]) => [name, about ?? '']));
    for (const [name, about] of unique) write(about === '' ? `${name}\n` : `${name}\t${plain(about, 70)}\n`);
  } catch {
    // Nobody who presses Tab wants to read an error.
  }
  return 0;
}

type Candidate = [name: string, about?: string];

function candidates(what: string, stateDir: string, now: number): Candidate[] {
  if (what === 'left-off') return lookAtLeftOff(stateDir).map(({ name, kind }) => [name, kind]);
  const fixed: Candidate[] =
    what === 'subjects'
      ? [['all', 'everything'], ...Object.keys(RULES).map((rule): Candidate => [rule, 'rule'])]
      : [];
  const known = lookOr<Candidate[]>(stateDir, [], (db) => {
    if (what === 'subjects') return containers(db);
    if (what === 'containers') return containers(db).filter(([, about]) => about === 'container');
    if (what === 'actions')
      return allActionsToUndo(db).map(({ id, rule, target }) => [String(id), `${rule}: ${target}`]);
    if (what === 'silenced') return listSilences(db, now).map(({ subject, reason }) => [subject, reason]);
    if (what === 'incidents')
      return incidentsSince(db, now - MONTH_MS, MOST).map(({ id, text }) => [String(id), text]);
    return [];
  });
  return [...fixed, ...known];
}

/** Containers as they were last seen, and the Compose services that they belong to. */
function containers(db: Db): Candidate[] {
  const rows = db
    .prepare(`SELECT key, ${jsonField('service')} AS service FROM services ORDER BY key LIMIT 1000`)
    .all() as { key: string; service: unknown }[];
  return rows.flatMap(({ key, service }): Candidate[] => [
    [key, 'container'],
    ...(typeof service === 'string' ? [[service, 'Compose service'] as Candidate] : []),
  ]);
}
