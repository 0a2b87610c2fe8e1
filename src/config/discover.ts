import type { Clock, Docker, Files } from '../system/types.ts';
import type { Config } from './schema.ts';

export type SslMode = 'disable' | 'allow' | 'prefer' | 'require' | 'no-verify' | 'verify-ca' | 'verify-full';

/** Where a database or application is, and how that was found out. */
export type PostgresTarget = {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
  /** As libpq's sslmode; absent: plain, and TLS where the server insists on it. */
  sslMode?: SslMode;
  /** File with the certificate authority, for verify-ca and verify-full. */
  sslRootCert?: string;
  how: string;
  container?: string;
};
export type RedisTarget = {
  host: string;
  port: number;
  password: string;
  username?: string;
  db: number;
  tls: boolean;
  how: string;
  container?: string;
};
export type HttpTarget = { url: string; apiKey: string; how: string; container?: string };
export type N8nTarget = HttpTarget & {
  /** n8n's own database where it is PostgreSQL, with its schema and table prefix. */
  database?: PostgresTarget & { schema: string; prefix: string };
  /** Redis of the queue mode, with Bull's prefix. */
  queue?: RedisTarget & {
    prefix: string;
    /** Its settings say queue mode; otherwise the keys in Redis decide. */
    expected: boolean;
  };
};
export type Discovered = {
  postgres?: PostgresTarget;
  redis?: RedisTarget;
  n8n?: N8nTarget;
  waha?: HttpTarget;
  /** Why each missing one is missing, for `doctor` and the check. */
  missing: { postgres?: string; redis?: string; n8n?: string; waha?: string };
};

export type DiscoveryDeps = { docker: Docker; config: Config; clock: Clock; files: Files };
export type Discovery = {
  /** What is known; looks again when nothing is known or something was invalidated. Never throws. */
  current(signal: AbortSignal): Promise<Discovered>;
  /** A target did not answer: the next `current` looks again. */
  invalidate(): void;
};

export function createDiscovery(_deps: DiscoveryDeps): Discovery {
  return { current: async () => ({ missing: {} }), invalidate: () => {} };
}
