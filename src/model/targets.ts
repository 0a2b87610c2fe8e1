// Where the databases and applications are: what the discovery finds, the collectors read and recovery acts on.

export const SSL_MODES = [
  'disable',
  'allow',
  'prefer',
  'require',
  'no-verify',
  'verify-ca',
  'verify-full',
] as const;
export type SslMode = (typeof SSL_MODES)[number];

/** How to reach a PostgreSQL. */
export type PostgresAddress = {
  /** Name, IP address or socket folder. */
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
  /** As libpq's sslmode; absent: plain, and TLS where the server insists on it. */
  sslMode?: SslMode;
  /** File with the certificate authority, for verify-ca and verify-full. */
  sslRootCert?: string;
};
/** How to reach a Redis. */
export type RedisAddress = {
  /** Name, IP address or the path of a unix socket. */
  host: string;
  port: number;
  password: string;
  username?: string;
  db: number;
  tls: boolean;
  /** The name in its certificate, where `host` is the address that Docker gave. */
  tlsName?: string;
  /** File with the authority that signed its certificate (REDIS_TLS_CA); the system's authorities when absent. */
  tlsCa?: string;
};

/** How it was found, for people, and the container that it runs in. */
type Found = { how: string; container?: string };
export type PostgresTarget = PostgresAddress & Found;
export type RedisTarget = RedisAddress & Found;
export type HttpTarget = { url: string; apiKey: string } & Found;
export type N8nTarget = HttpTarget & {
  /** n8n's own database where it is PostgreSQL, with its schema and table prefix. */
  database?: PostgresTarget & {
    schema: string;
    prefix: string;
    /** Nothing says that n8n uses it; it is if its tables are there. */
    assumed?: true;
  };
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
  /** WAHA's container where there is one that does not run: a person may have it restarted. */
  wahaDown?: string;
  /** Those of the missing ones that run here and cannot be read: `missing` says why, and which setting helps. */
  unreadable?: ('postgres' | 'redis' | 'n8n' | 'waha')[];
  /** Why each missing one is missing, for `doctor` and the check. */
  missing: {
    postgres?: string;
    redis?: string;
    n8n?: string;
    waha?: string;
    /** n8n is here and has one, but it cannot be read. */
    n8nDatabase?: string;
    n8nQueue?: string;
  };
};
