import { plain } from '../model/text.ts';
import { addressByName, addressOf, meantBy, type Surroundings } from './address.ts';
import {
  choose,
  expand,
  fromEnv,
  inFile,
  isComputed,
  label,
  notRunning,
  oneOf,
  option,
  optionIn,
  portFromEnv,
  toPort,
} from './container.ts';
import type { Candidate } from './kind.ts';
import type { Wanted } from './explicit.ts';
import type { RedisTarget } from '../model/targets.ts';
import { grant } from './trust.ts';

/** `here`: it runs, and cannot be read. */
type Found = { target: RedisTarget } | { why: string; here?: true };

/** The port inside the container. */
export function redisPort(container: Candidate): number {
  const inArgs = optionIn(extraArgs(container), '--port');
  const port = toPort(option(container, '--port') ?? (inArgs && expand(inArgs, container)));
  return port ?? portFromEnv(container, 6379, 'REDIS_PORT_NUMBER', 'VALKEY_PORT_NUMBER');
}

/**
 * The password that the server was started with: its command line, the variables of redis-stack, Dragonfly and Bitnami, and the
 * one that people set for redis-cli in a healthcheck. Empty where there is none: one that is needless does no harm. `why`: it has one
 * that cannot be known, for it is in a file inside the container.
 */
export function redisPassword(container: Candidate): { password: string } | { why: string } {
  const args = optionIn(extraArgs(container), '--requirepass');
  const written =
    option(container, '--requirepass') ?? (args === undefined ? undefined : expand(args, container));
  if (written !== undefined && !isComputed(written)) return { password: written };
  const names = ['DFLY_requirepass', 'REDIS_PASSWORD', 'VALKEY_PASSWORD', 'KEYDB_PASSWORD', 'REDISCLI_AUTH'];
  const password = fromEnv(container, ...names);
  if (password !== undefined) return { password };
  const file = inFile(container, ...names);
  const where = file ?? (written === undefined ? undefined : '--requirepass');
  return where === undefined
    ? { password: '' }
    : {
        why: `container ${plain(container.inspect.name, 60)} has its password in a file (${where}): set REDIS_PASSWORD`,
      };
}

/** Options that the images hand on to the server. */
function extraArgs(container: Candidate): string {
  return fromEnv(container, 'REDIS_ARGS', 'VALKEY_EXTRA_FLAGS', 'REDIS_EXTRA_FLAGS') ?? '';
}

/** What n8n's queue uses; what merely looks like an n8n (not `byImage`) does not decide which server is watched. */
export type UsedByQueue = { container: string | undefined; password: string; byImage: boolean };

/** The Redis to watch: what a person set; else the container of n8n's queue, the one called `redis`, the oldest. */
export function findRedis(
  candidates: Candidate[],
  wanted: Wanted<RedisTarget>,
  queue: UsedByQueue | undefined,
  around: Surroundings,
): Found {
  const running = candidates.filter((candidate) => candidate.running);
  if (wanted.host !== undefined) return explicit(wanted, running, around);
  const used = queue?.byImage ? running.find(({ inspect }) => inspect.id === queue.container) : undefined;
  const chosen = used ?? choose(running, 'redis', 'valkey');
  if (!chosen) {
    const there = candidates[0];
    return { why: there ? notRunning(there) : 'no container runs Redis, and REDIS_URL is not set' };
  }
  const address = addressOf(chosen.at, wanted.port ?? redisPort(chosen), around);
  if ('why' in address) return { ...address, here: true };
  const { secret: granted, note } = grant(wanted.password, chosen, candidates, {
    setting: 'REDIS_PASSWORD',
    naming: 'REDIS_HOST',
  });
  const known = redisPassword(chosen);
  const own = ('password' in known && known.password) || (used ? (queue?.password ?? '') : '');
  if (granted === undefined && own === '' && 'why' in known)
    return { why: `${known.why}${note}`, here: true };
  const why =
    used && running.length > 1 ? `, the one of ${running.length} that n8n's queue uses` : oneOf(running);
  return {
    target: {
      host: address.host,
      port: address.port,
      password: granted ?? own,
      db: wanted.db ?? 0,
      tls: false,
      how: `container ${label(chosen)}${why}, ${address.via}${passwordFrom(granted, own)}${note}`,
      container: chosen.inspect.name,
    },
  };
}

function passwordOr(known: ReturnType<typeof redisPassword>): string {
  return 'password' in known ? known.password : '';
}

function passwordFrom(wanted: string | undefined, own: string): string {
  if (wanted !== undefined) return ', password from REDIS_PASSWORD';
  return own ? ', password from its settings' : ', no password';
}

function explicit(wanted: Wanted<RedisTarget>, running: Candidate[], around: Surroundings): Found {
  const host = wanted.host ?? 'localhost';
  const port = wanted.port ?? 6379;
  const same = meantBy(host, port, running, redisPort, around);
  const address = (same && addressByName(host, same.at, redisPort(same), around)) ?? { host, port };
  return {
    target: {
      host: address.host,
      port: address.port,
      password: wanted.password ?? (same ? passwordOr(redisPassword(same)) : ''),
      ...(wanted.username === undefined ? {} : { username: wanted.username }),
      db: wanted.db ?? 0,
      tls: wanted.tls ?? false,
      ...(wanted.tls && address.host !== host ? { tlsName: host } : {}),
      how: wanted.how,
      ...(same ? { container: same.inspect.name } : {}),
    },
  };
}
