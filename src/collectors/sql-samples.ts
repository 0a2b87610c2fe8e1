import type { SqlSample } from '../model/snapshot.ts';
import { plain } from '../model/text.ts';

const LABEL_MAX = 200;

/**
 * Rows as samples: the column `value`, or else the last one, is the number; every other column is a label. Rows whose
 * number is NULL say nothing and are left out. Throws where it is no number, or where two rows have the same labels.
 */
export function samplesOf(
  metric: { name: string; help: string },
  rows: Record<string, unknown>[],
): SqlSample[] {
  const seen = new Set<string>();
  return rows.flatMap((row) => {
    const columns = Object.keys(row);
    const column = columns.includes('value') ? 'value' : columns.at(-1);
    if (column === undefined) throw new Error('the query has no columns');
    const text = row[column];
    if (text === null) return [];
    const value = numberOf(text);
    if (value === undefined) {
      throw new Error(`the column ${plain(column, 60)} is no number: ${plain(String(text), 60)}`);
    }
    const labels: Record<string, string> = {};
    for (const name of columns)
      if (name !== column) labels[labelName(name)] = plain(String(row[name] ?? ''), LABEL_MAX);
    const key = JSON.stringify(labels);
    if (seen.has(key)) throw new Error(`two rows have the same labels: ${plain(key, 120)}`);
    seen.add(key);
    return [{ name: metric.name, help: metric.help, labels, value }];
  });
}

/** Numbers as PostgreSQL writes them; true and false are 1 and 0. */
function numberOf(text: unknown): number | undefined {
  if (text === 't') return 1;
  if (text === 'f') return 0;
  const value = typeof text === 'string' && text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** Prometheus allows letters, digits and underscores, no digit first, and keeps names with two underscores for itself. */
function labelName(column: string): string {
  const name = column.replace(/[^A-Za-z0-9_]/g, '_').replace(/^_+/, '') || 'column';
  return /^\d/.test(name) ? `_${name}` : name;
}
