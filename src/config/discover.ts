/** Where a database or application is, and how that was found out. */
export type PostgresTarget = {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
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
  queue?: RedisTarget & { prefix: string };
};
export type Discovered = {
  postgres?: PostgresTarget;
  redis?: RedisTarget;
  n8n?: N8nTarget;
  waha?: HttpTarget;
  /** Why each missing one is missing, for `doctor` and the check. */
  missing: { postgres?: string; redis?: string; n8n?: string; waha?: string };
};
