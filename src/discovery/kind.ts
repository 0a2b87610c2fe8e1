import type { DockerInspect, DockerListItem } from '../system/types.ts';

export type Kind = 'postgres' | 'redis' | 'n8n' | 'waha';

/** The last part of the image's name says it: postgres:16, bitnami/postgresql, ghcr.io/valkey-io/valkey@sha256:... */
const IMAGES: Record<Kind, RegExp> = {
  postgres:
    /^(postgres|postgresql|postgresql-repmgr|postgis|timescaledb|timescaledb-ha|pgvector|pgvecto-rs|vchord-postgres|supabase-postgres|spilo(-\d+)?|edb-postgres|postgres-ssl|paradedb)$/,
  redis: /^(redis|redis-server|redis-stack|redis-stack-server|valkey|valkey-bundle|keydb|dragonfly)$/,
  n8n: /^n8n$/,
  waha: /^waha(-plus|-core)?$/,
};

/** The port on which each listens, and what its image leaves in the environment: for images of one's own. */
const TRACES: Record<Kind, { port: number; env: RegExp }> = {
  postgres: { port: 5432, env: /^(PGDATA|PG_MAJOR|POSTGRESQL_VOLUME_DIR)=/ },
  redis: { port: 6379, env: /^(REDIS_VERSION|REDIS_DOWNLOAD_URL|VALKEY_VERSION|VALKEY_DOWNLOAD_URL)=/ },
  n8n: { port: 5678, env: /^N8N_[A-Z_]+=/ },
  waha: { port: 3000, env: /^(WAHA|WHATSAPP)_[A-Z_]+=/ },
};
export const KINDS = Object.keys(IMAGES) as Kind[];

/** registry:5000/team/postgres:16@sha256:... -> registry:5000/team/postgres */
export function repositoryOf(image: string): string {
  return (image.toLowerCase().split('@')[0] ?? '').replace(/:[^/:]*$/, '');
}

/** registry:5000/team/postgres:16@sha256:... -> postgres */
function lastPart(image: string): string {
  return repositoryOf(image).split('/').at(-1) ?? '';
}

export function kindByImage(image: string): Kind | undefined {
  const name = lastPart(image);
  return KINDS.find((kind) => IMAGES[kind].test(name));
}

/** Whether a look at its environment is worth a call: by its image, or by a port that one of the four listens on. */
export function worthALook(item: DockerListItem): boolean {
  if (kindByImage(item.image)) return true;
  const ports = new Set(item.ports.map((port) => port.privatePort));
  return KINDS.some((kind) => ports.has(TRACES[kind].port));
}

/**
 * What a container is, and whether its image says so. One of an image of one's own is known by its traces; they are what it says
 * about itself, so it is sent no secret but its own, and never looked for in the host's own network. `idle`: what it runs is no server
 * that is known, so any other one of its kind is.
 */
export function kindOf(
  inspect: DockerInspect,
  listed?: Pick<DockerListItem, 'image'>,
): { kind: Kind; byImage: boolean; idle?: true } | undefined {
  const byName = kindByImage(inspect.image) ?? (listed && kindByImage(listed.image));
  if (byName && servesNothing(byName, inspect)) return undefined;
  if (byName) return { kind: byName, byImage: true, ...(isIdle(byName, inspect) ? { idle: true } : {}) };
  if (inspect.hostConfig.networkMode === 'host') return undefined;
  const ports = new Set(inspect.ports.map((port) => port.privatePort));
  const kind = KINDS.find(
    (one) => ports.has(TRACES[one].port) && inspect.env.some((entry) => TRACES[one].env.test(entry)),
  );
  return kind && { kind, byImage: false };
}

/** What the images of the servers are run for, too: backups, exports and scripts. */
const CLIENTS: Partial<Record<Kind, RegExp>> = {
  postgres:
    /(^|[\s;&|/(])(pg_dump|pg_dumpall|pg_basebackup|pg_receivewal|pg_restore|psql|pgbench|pg_isready)(\s|$)/,
  redis: /(^|[\s;&|/(])(redis|valkey|keydb)-(cli|benchmark|check-aof|check-rdb)(\s|$)/,
  // https://docs.n8n.io/hosting/cli-commands/
  n8n: /(^|[\s;&|(])((export|import|list|update|publish|unpublish|db|user-management|license|mfa|ldap|community-node):\S+|audit|execute-batch)(\s|$)/,
};
/** A timer, or a container that waits for somebody to enter it. */
const IDLE =
  /^(\S*entrypoint\.sh |tini (-- )?|(\/bin\/)?(ba|da|a)?sh -l?c )*(\/\S*\/)?(crond?|supercronic|sleep|tail)(\s|$)/;
const SERVERS: Partial<Record<Kind, RegExp>> = {
  postgres:
    /(^|[\s;&|/(])(?<!(-h|-U|-d|--\w{1,16}[= ])\s?)(postgres|docker-entrypoint\.sh|entrypoint\.sh|pg_ctl|patroni)(\s+-|\s*$|\s*[;&|])/,
  redis: /(^|[\s;&|/(])(redis|valkey|keydb)-server(\s|$)/,
  n8n: /(\bn8n|entrypoint\.sh)\s*((start|worker|webhook)\b|$|[;&|])/,
};

/** A container of the image that is no server: a Sentinel, or a client of one elsewhere, which may be older than the server. */
function servesNothing(kind: Kind, inspect: DockerInspect): boolean {
  if (kind === 'redis' && isSentinel(inspect)) return true;
  const command = inspect.command.join(' ');
  return CLIENTS[kind]?.test(command) === true && SERVERS[kind]?.test(command) !== true;
}

function isIdle(kind: Kind, inspect: DockerInspect): boolean {
  const command = inspect.command.join(' ');
  return IDLE.test(command) && SERVERS[kind]?.test(command) !== true;
}

/** A Sentinel watches data servers and runs from the same image; it has no data. */
function isSentinel({ command }: DockerInspect): boolean {
  return command.some((word) => /(^|[\s/])(redis|valkey)-sentinel(\s|$)|(^|\s)--sentinel(\s|$)/.test(word));
}

/** A recognised container, its environment and command as they are: anything at all may stand there. */
export type Candidate = {
  kind: Kind;
  inspect: DockerInspect;
  /** Its place in the networks. */
  at: Located;
  env: Map<string, string>;
  running: boolean;
  /** Its image says what it is, not merely its own claims (see trust.ts). */
  byImage: boolean;
};
/** What is known of every container, recognised or not. */
export type Located = Pick<DockerListItem, 'id' | 'name' | 'labels' | 'networks' | 'ports'> & {
  networkMode?: string;
};
