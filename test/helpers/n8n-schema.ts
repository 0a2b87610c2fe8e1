import type { PostgresServer } from './postgres-server.ts';

export type N8nSchemaOptions = {
  database?: string;
  schema?: string;
  prefix?: string;
  /** Versions before the published versions of workflows have neither `activeVersionId` nor `isArchived`. */
  old?: boolean;
};

const name = (text: string) => `"${text.replaceAll('"', '""')}"`;

/** The tables of n8n 1.123 as far as anybody looks at them, with its types, quoting and indexes. */
export async function createN8nTables(server: PostgresServer, options: N8nSchemaOptions = {}): Promise<void> {
  const { schema = 'public', prefix = '', old = false } = options;
  const t = (table: string) => `${name(schema)}.${name(prefix + table)}`;
  const recent = old
    ? ''
    : `"versionId" char(36) NOT NULL DEFAULT gen_random_uuid(), "activeVersionId" varchar(36),
       "isArchived" boolean NOT NULL DEFAULT false,`;
  await server.sql(
    `CREATE SCHEMA IF NOT EXISTS ${name(schema)};
    CREATE TABLE ${t('workflow_entity')} (
      id varchar(36) PRIMARY KEY, name varchar(128) NOT NULL, active boolean NOT NULL DEFAULT false, ${recent}
      nodes json NOT NULL DEFAULT '[]', connections json NOT NULL DEFAULT '{}', settings json, "staticData" json,
      "pinData" json, "triggerCount" integer NOT NULL DEFAULT 0, meta json,
      "createdAt" timestamptz(3) NOT NULL DEFAULT now(), "updatedAt" timestamptz(3) NOT NULL DEFAULT now());
    CREATE TABLE ${t('execution_entity')} (
      id serial PRIMARY KEY, finished boolean NOT NULL DEFAULT false, mode varchar NOT NULL DEFAULT 'trigger',
      "retryOf" varchar, "retrySuccessId" varchar, "startedAt" timestamptz(3), "stoppedAt" timestamptz(3),
      "waitTill" timestamptz(3), status varchar NOT NULL, "workflowId" varchar(36) NOT NULL DEFAULT 'w1',
      "deletedAt" timestamptz(3), "createdAt" timestamptz(3) NOT NULL DEFAULT now());
    CREATE INDEX ON ${t('execution_entity')} ("stoppedAt", status, "deletedAt")
      WHERE "stoppedAt" IS NOT NULL AND "deletedAt" IS NULL;
    CREATE INDEX ON ${t('execution_entity')} ("waitTill", status, "deletedAt")
      WHERE "waitTill" IS NOT NULL AND "deletedAt" IS NULL;
    CREATE INDEX ON ${t('execution_entity')} ("workflowId", "startedAt") WHERE "startedAt" IS NOT NULL AND "deletedAt" IS NULL;
    CREATE TABLE ${t('workflow_statistics')} (count integer DEFAULT 0, "latestEvent" timestamptz(3), name varchar(128) NOT NULL,
      "workflowId" varchar(36) NOT NULL, PRIMARY KEY ("workflowId", name));
    CREATE TABLE ${t('tag_entity')} (id varchar(36) PRIMARY KEY, name varchar(24) NOT NULL UNIQUE);
    CREATE TABLE ${t('workflows_tags')} ("workflowId" varchar(36) NOT NULL, "tagId" varchar(36) NOT NULL,
      PRIMARY KEY ("workflowId", "tagId"));`,
    options.database,
  );
}

/** Adds executions: `[status, how many]`. Finished ones stopped a minute ago, queued ones have no start. */
export async function addExecutions(
  server: PostgresServer,
  counts: Record<string, number>,
  options: N8nSchemaOptions & { stoppedHoursAgo?: number; deleted?: boolean } = {},
): Promise<void> {
  const { schema = 'public', prefix = '', stoppedHoursAgo = 0.02, deleted = false } = options;
  for (const [status, n] of Object.entries(counts)) {
    const finished = ['success', 'error', 'crashed', 'canceled'].includes(status);
    const stopped = finished ? `now() - interval '${stoppedHoursAgo * 60} minutes'` : 'NULL';
    await server.sql(
      `INSERT INTO ${name(schema)}.${name(`${prefix}execution_entity`)}
        (status, finished, "startedAt", "stoppedAt", "waitTill", "deletedAt")
      SELECT '${status}', ${status === 'success'}, ${status === 'new' ? 'NULL' : "now() - interval '2 minutes'"},
        ${stopped}, ${status === 'waiting' ? "now() + interval '1 day'" : 'NULL'}, ${deleted ? 'now()' : 'NULL'}
      FROM generate_series(1, ${n})`,
      options.database,
    );
  }
}
