import type { SqlSample } from '../model/snapshot.ts';
import type { Postgres } from '../system/types.ts';
import { identifier } from './n8n-database.ts';

export const LEAD_COUNT = {
  name: 'lead_count',
  help: 'Rows in all tables with "lead" in their name.',
};

/** Tables of the users; a partition is counted with the table that it is a part of. */
const TABLES_SQL = `SELECT s.nspname AS schema, t.relname AS name
FROM pg_catalog.pg_class t JOIN pg_catalog.pg_namespace s ON s.oid = t.relnamespace
WHERE t.relname ILIKE '%lead%' AND t.relkind IN ('r', 'p') AND NOT t.relispartition
  AND s.nspname NOT IN ('pg_catalog', 'information_schema') AND s.nspname NOT LIKE 'pg\\_t%'
ORDER BY 1, 2 LIMIT 200`;

/** The rows of every table with "lead" in its name, counted exactly; nothing where there is no such table. */
export async function readLeadCount(postgres: Postgres, timeoutMs: number): Promise<SqlSample[]> {
  const tables = await postgres.query(TABLES_SQL, [], timeoutMs);
  if (tables.length === 0) return [];
  const counts = tables.map(
    ({ schema, name }) => `(SELECT count(*) FROM ${identifier(String(schema))}.${identifier(String(name))})`,
  );
  const rows = await postgres.readOnly(`SELECT ${counts.join(' + ')} AS value`, timeoutMs);
  return [{ ...LEAD_COUNT, labels: {}, value: Number(rows[0]?.value) }];
}
