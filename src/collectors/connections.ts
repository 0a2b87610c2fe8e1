import type { PostgresTarget, RedisTarget } from '../model/targets.ts';
import { openPostgres } from '../system/postgres/postgres.ts';
import { openRedis } from '../system/redis/redis.ts';
import type { Postgres, Redis, System } from '../system/types.ts';

/** A collector's hold on a connection. Collectors of one process that mean the same server share one connection. */
export type Hold<Target, Client> = {
  /** The connection to this target; the one to another target, held before, is let go. */
  to(target: Target): Client;
  release(): Promise<void>;
};

type Shared = { client: { close(): Promise<void> }; holders: number };
const connections = new WeakMap<System, Map<string, Shared>>();

export function holdPostgres(system: System): Hold<PostgresTarget, Postgres> {
  return hold(
    system,
    (t) => ['postgres', t.host, t.port, t.user, t.password, t.database, t.sslMode, t.sslRootCert],
    openPostgres,
  );
}

export function holdRedis(system: System): Hold<RedisTarget, Redis> {
  return hold(
    system,
    (t) => ['redis', t.host, t.port, t.username, t.password, t.db, t.tls, t.tlsName, t.tlsCa],
    openRedis,
  );
}

function hold<Target, Client extends { close(): Promise<void> }>(
  system: System,
  identity: (target: Target) => unknown[],
  open: (target: Target) => Client,
): Hold<Target, Client> {
  const all = connections.get(system) ?? new Map<string, Shared>();
  connections.set(system, all);
  let held: string | undefined;

  async function release(): Promise<void> {
    const shared = held === undefined ? undefined : all.get(held);
    if (!shared || held === undefined) return;
    shared.holders--;
    if (shared.holders === 0) all.delete(held);
    held = undefined;
    if (shared.holders === 0) await shared.client.close();
  }

  return {
    release,
    to(target) {
      const key = JSON.stringify(identity(target));
      if (key !== held) {
        void release();
        const shared = all.get(key) ?? { client: open(target), holders: 0 };
        shared.holders++;
        all.set(key, shared);
        held = key;
      }
      return (all.get(key) as Shared).client as Client;
    },
  };
}

/**
 * Whether looking for the server anew can help: nobody answers, or name, password or database are not the right ones. An
 * error about a statement (any other SQLSTATE) is not.
 */
export function mayHaveMoved(error: unknown): boolean {
  const code = (error as { code?: string } | undefined)?.code ?? '';
  const sqlState = /^[0-9A-DF-Z][0-9A-Z]{4}$/.test(code);
  return !sqlState || /^(08|28|3D|57P)/.test(code);
}
