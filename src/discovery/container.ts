import { plain } from '../model/text.ts';
import type { DockerInspect } from '../system/types.ts';
import type { Candidate, Located, Kind } from './kind.ts';
import { credible, engineNames } from './trust.ts';

export function toCandidate(kind: Kind, byImage: boolean, inspect: DockerInspect): Candidate {
  const env = new Map<string, string>();
  for (const entry of inspect.env) {
    const at = entry.indexOf('=');
    if (at > 0) env.set(entry.slice(0, at), entry.slice(at + 1));
  }
  return { kind, byImage, inspect, at: located(inspect), env, running: inspect.state.status === 'running' };
}

export function located(inspect: DockerInspect): Located {
  const { id, name, labels, networks, ports, hostConfig } = inspect;
  return { id, name, labels, networks, ports, networkMode: hostConfig.networkMode };
}

/** The first of these variables that is set and not empty. */
export function fromEnv(candidate: Candidate, ...names: string[]): string | undefined {
  for (const name of names) {
    const value = candidate.env.get(name);
    if (value) return value;
  }
  return undefined;
}

/** The first of these variables that the container has in a file only: nobody outside knows its value. `DB_HOST_FILE`. */
export function inFile(candidate: Candidate, ...names: string[]): string | undefined {
  const name = names.find(
    (one) => fromEnv(candidate, one) === undefined && fromEnv(candidate, `${one}_FILE`),
  );
  return name && `${name}_FILE`;
}

export function portFromEnv(candidate: Candidate, otherwise: number, ...names: string[]): number {
  return toPort(fromEnv(candidate, ...names)) ?? otherwise;
}

export function toPort(text: string | undefined): number | undefined {
  const port = /^\d{1,5}$/.test(text ?? '') ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

export function isTrue(text: string | undefined): boolean {
  return text?.toLowerCase() === 'true' || text === '1';
}

/**
 * One word of a shell command line, out of its quotes; `$NAME`, `${NAME}` and `${NAME:-otherwise}` from the container's own
 * environment. What a command would print (`$(cat /run/secrets/x)`) is not known here: `isComputed`.
 */
export function expand(word: string, candidate: Candidate): string {
  const bare = /^(["'])(.*)\1$/s.exec(word)?.[2] ?? word;
  const braced = /^\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*))?\}$/.exec(bare);
  const name = braced?.[1] ?? /^\$([A-Za-z_][A-Za-z0-9_]*)$/.exec(bare)?.[1];
  if (name === undefined) return bare;
  return candidate.env.get(name) || (braced?.[2] ?? '');
}

/** The shell in the container computes it: nobody outside knows what it is. */
export function isComputed(text: string): boolean {
  return /\$\(|`|\$\{/.test(text);
}

/** The value of `--option VALUE` or `--option=VALUE`, in an argument list or inside `sh -c "..."`. */
export function option(candidate: Candidate, name: string): string | undefined {
  const args = candidate.inspect.command;
  const exact = args.indexOf(name);
  if (exact !== -1 && args[exact + 1] !== undefined) return expand(args[exact + 1] ?? '', candidate);
  const assigned = args.find((arg) => arg.startsWith(`${name}=`));
  if (assigned !== undefined) return expand(assigned.slice(name.length + 1), candidate);
  for (const arg of args) {
    const word = optionIn(arg, name);
    if (word !== undefined) return expand(word, candidate);
  }
  return undefined;
}

/** The same in one text, as in `REDIS_ARGS`. */
export function optionIn(text: string, name: string): string | undefined {
  const at = text.indexOf(`${name} `) === -1 ? text.indexOf(`${name}=`) : text.indexOf(`${name} `);
  if (at === -1) return undefined;
  return /^\s*("[^"]*"|'[^']*'|\$\([^)]*\)|`[^`]*`|[^\s"']+)/.exec(text.slice(at + name.length + 1))?.[1];
}

/** For people: `shop-postgres-1 (postgres:16)`. */
export function label({ inspect }: Candidate): string {
  return `${plain(inspect.name, 60)} (${plain(inspect.image, 60)})`;
}

/** Why a container that is there is not used. */
export function notRunning({ inspect }: Candidate): string {
  return `container ${plain(inspect.name, 60)} is ${plain(inspect.state.status, 20) || 'not running'}`;
}

/** Of those that are credible the first by a name that the engine knows, else the oldest: the same choice every time. */
export function choose(candidates: Candidate[], ...names: string[]): Candidate | undefined {
  const sorted = credible(candidates).toSorted(
    (a, b) => a.inspect.created - b.inspect.created || (a.inspect.name < b.inspect.name ? -1 : 1),
  );
  return sorted.find(({ at }) => engineNames(at).some((name) => names.includes(name))) ?? sorted[0];
}

/** ", one of 3" where there was a choice. */
export function oneOf(candidates: Candidate[]): string {
  return candidates.length > 1 ? `, one of ${candidates.length}` : '';
}
