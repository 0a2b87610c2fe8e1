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
const KINDS = Object.keys(IMAGES) as Kind[];

/** registry:5000/team/postgres:16@sha256:... -> postgres */
function lastPart(image: string): string {
  const path = image.toLowerCase().split('@')[0] ?? '';
  return (path.split('/').at(-1) ?? '').split(':')[0] ?? '';
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

export function kindOf(inspect: DockerInspect, listed?: Pick<DockerListItem, 'image'>): Kind | undefined {
  const byName = kindByImage(inspect.image) ?? (listed && kindByImage(listed.image));
  if (byName) return byName;
  const ports = new Set(inspect.ports.map((port) => port.privatePort));
  return KINDS.find(
    (kind) => ports.has(TRACES[kind].port) && inspect.env.some((entry) => TRACES[kind].env.test(entry)),
  );
}
