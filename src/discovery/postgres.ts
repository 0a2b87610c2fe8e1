import { plain } from '../model/text.ts';
import { addressByName, addressOf, meantBy, type Surroundings } from './address.ts';
import {
  choose,
  fromEnv,
  inFile,
  label,
  notRunning,
  oneOf,
  option,
  portFromEnv,
  toPort,
} from './container.ts';
import type { Candidate } from './kind.ts';
import type { Wanted } from './explicit.ts';
import type { PostgresTarget } from '../model/targets.ts';
import { grant } from './trust.ts';

/** `here`: it runs, and cannot be read. */
type Found = { target: PostgresTarget } | { why: string; here?: true };
/** `userWhy`: the user is not known, and how to set it. */
type Login = { user: string; password?: string; database: string; why?: string; userWhy?: string };

/** The port inside the container: `-p 5433`, `-p5433`, `--port=5433`, `-c port=5433`. */
export function postgresPort(container: Candidate): number {
  const short = /(?:^|\s)(?:-c\s?port\s?=\s?|-p)(\d{1,5})(?!\S)/.exec(
    container.inspect.command.join(' '),
  )?.[1];
  return (
    toPort(option(container, '-p') ?? option(container, '--port')) ??
    toPort(short) ??
    portFromEnv(container, 5432, 'PGPORT')
  );
}

/** User, password and database that the image was started with: the official image's, Bitnami's and Spilo's names. */
export function postgresLogin(container: Candidate): Login {
  const user = fromEnv(container, 'POSTGRES_USER', 'POSTGRESQL_USERNAME') ?? 'postgres';
  const userFile = inFile(container, 'POSTGRES_USER', 'POSTGRESQL_USERNAME');
  const database = fromEnv(container, 'POSTGRES_DB', 'POSTGRESQL_DATABASE') ?? user;
  const names = ['POSTGRES_PASSWORD', 'POSTGRESQL_PASSWORD'];
  if (user === 'postgres') names.push('POSTGRESQL_POSTGRES_PASSWORD', 'PGPASSWORD_SUPERUSER');
  const where = `container ${plain(container.inspect.name, 60)}`;
  const userWhy = userFile && `${where} has its user in a file (${userFile}): set POSTGRES_USER`;
  const known = { user, database, ...(userWhy ? { userWhy } : {}) };
  const password = fromEnv(container, ...names);
  if (password !== undefined) return { ...known, password };
  if (fromEnv(container, 'POSTGRES_HOST_AUTH_METHOD') === 'trust') return { ...known, password: '' };
  if (fromEnv(container, 'ALLOW_EMPTY_PASSWORD') === 'yes') return { ...known, password: '' };
  const file = inFile(container, ...names);
  const why = file
    ? `${where} has its password in a file (${file}): set POSTGRES_PASSWORD`
    : `${where} tells no password: set POSTGRES_PASSWORD`;
  return { ...known, why };
}

/**
 * What n8n uses, where it uses PostgreSQL: it works, for n8n runs with it. What merely looks like an n8n (not `byImage`) neither decides
 * which server is watched nor takes the place of a password that is known.
 */
export type UsedByN8n = { container: string | undefined; user: string; password: string; byImage: boolean };

/**
 * The PostgreSQL to watch: what a person set; else the container that n8n uses, the one called `postgres`, the oldest.
 * Single settings replace what the container has in its environment.
 */
export function findPostgres(
  candidates: Candidate[],
  wanted: Wanted<PostgresTarget>,
  n8n: UsedByN8n | undefined,
  around: Surroundings,
): Found {
  const running = candidates.filter((candidate) => candidate.running);
  if (wanted.host !== undefined) return explicit(wanted, running, n8n, around);
  const used = n8n?.byImage ? running.find(({ inspect }) => inspect.id === n8n.container) : undefined;
  const chosen = used ?? choose(running, 'postgres', 'postgresql', 'db');
  if (!chosen) {
    const there = candidates[0];
    return { why: there ? notRunning(there) : 'no container runs PostgreSQL, and POSTGRES_URL is not set' };
  }
  const address = addressOf(chosen.at, wanted.port ?? postgresPort(chosen), around);
  if ('why' in address) return { ...address, here: true };
  const login = withN8n(chosen, n8n);
  const { secret: granted, note } = grant(wanted.password, chosen, candidates, {
    setting: 'POSTGRES_PASSWORD',
    naming: 'POSTGRES_HOST',
  });
  const password = granted ?? login.password;
  if (password === undefined)
    return { why: `${login.why ?? 'no password is known: set POSTGRES_PASSWORD'}${note}`, here: true };
  // A user goes with their password.
  const setUser = note === '' ? wanted.user : undefined;
  if (setUser === undefined && login.userWhy !== undefined) return { why: login.userWhy, here: true };
  const user = setUser ?? login.user;
  const why = used && running.length > 1 ? `, the one of ${running.length} that n8n uses` : oneOf(running);
  const set = granted === undefined ? 'its environment' : 'POSTGRES_PASSWORD';
  return {
    target: {
      host: address.host,
      port: address.port,
      user,
      password,
      database: wanted.database ?? login.database,
      how: `container ${label(chosen)}${why}, ${address.via}, password from ${set}${note}`,
      container: chosen.inspect.name,
    },
  };
}

/** n8n's password for the same user is known to work; the one in the environment counted when the data was made. */
function withN8n(container: Candidate, n8n: UsedByN8n | undefined): Login {
  const login = postgresLogin(container);
  if (!n8n || n8n.container !== container.inspect.id) return login;
  if (n8n.user === login.user && n8n.byImage) return { ...login, password: n8n.password };
  // Of a server that keeps its user or password in a file, what n8n uses is known.
  return login.password === undefined || login.userWhy !== undefined
    ? { user: n8n.user, password: n8n.password, database: login.database }
    : login;
}

/** A host that is one of the containers (its name, its published port) has what was not set from there. */
function explicit(
  wanted: Wanted<PostgresTarget>,
  running: Candidate[],
  n8n: UsedByN8n | undefined,
  around: Surroundings,
): Found {
  const host = wanted.host ?? 'localhost';
  const port = wanted.port ?? 5432;
  const same = meantBy(host, port, running, postgresPort, around);
  const login = same && withN8n(same, n8n);
  const address = (same && addressByName(host, same.at, postgresPort(same), around)) ?? { host, port };
  const user = wanted.user ?? login?.user ?? 'postgres';
  return {
    target: {
      host: address.host,
      port: address.port,
      user,
      password: wanted.password ?? login?.password ?? '',
      database: wanted.database ?? login?.database ?? user,
      ...(wanted.sslMode === undefined ? {} : { sslMode: wanted.sslMode }),
      ...(wanted.sslRootCert === undefined ? {} : { sslRootCert: wanted.sslRootCert }),
      how: wanted.how,
      ...(same ? { container: same.inspect.name } : {}),
    },
  };
}
