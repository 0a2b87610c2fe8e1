import type { N8nTarget } from '../model/targets.ts';
import { openPostgres } from '../system/postgres/postgres.ts';

/**
 * How many webhooks n8n has registered for each of these workflows, from its own table: what its API calls active may answer 404 all
 * the same. Undefined where n8n's database cannot be read.
 */
export async function registeredWebhooks(
  target: N8nTarget | undefined,
  ids: readonly string[],
): Promise<Map<string, number> | undefined> {
  const database = target?.database;
  if (!database || ids.length === 0) return undefined;
  const identifier = (name: string) => `"${name.replaceAll('"', '""')}"`;
  const table = `${identifier(database.schema)}.${identifier(`${database.prefix}webhook_entity`)}`;
  const postgres = openPostgres(database);
  try {
    const rows = await postgres.query(
      `SELECT "workflowId" AS id, count(*) AS n FROM ${table} WHERE "workflowId" = ANY($1) GROUP BY 1`,
      [[...ids]],
    );
    return new Map(rows.map(({ id, n }) => [String(id), Number(n)]));
  } catch {
    return undefined; // Only the verification is lost.
  } finally {
    await postgres.close();
  }
}
