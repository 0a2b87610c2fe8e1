import { KEYS, type Extra, type Key, type KeyDefinition, type Settings } from './schema.ts';

export const KEY_NAMES = Object.keys(KEYS) as Key[];

export function definitionOf(key: Key): KeyDefinition {
  return KEYS[key];
}

export function isKey(name: string): name is Key {
  return Object.hasOwn(KEYS, name);
}

/** A fresh copy of all defaults. */
export function defaultSettings(): Settings {
  const entries = KEY_NAMES.map((key) => [key, structuredClone(KEYS[key].default)]);
  return Object.fromEntries(entries) as Settings;
}

/**
 * The built-in example of an SQL metric. Without a table of that name it has no row, and so no sample: the subquery runs
 * through query_to_xml because plain SQL is refused as a whole when it names a table that does not exist.
 */
export const LEAD_COUNT = {
  name: 'lead_count',
  help: 'Rows in the table leads.',
  query:
    "SELECT (xpath('/row/n/text()', query_to_xml('SELECT count(*) AS n FROM leads', false, true, '')))[1]::text::bigint AS value WHERE to_regclass('leads') IS NOT NULL",
} as const;

/** A fresh copy of what holds without a vpsmon.yaml. */
export function defaultExtra(): Extra {
  return {
    services: [],
    sqlMetrics: [{ ...LEAD_COUNT }],
    n8n: { tag: 'low-priority', lowPriorityWorkflows: [], queues: ['jobs'], finishedWithinHours: 24 },
    recovery: {
      actionsPerTargetPerHour: 3,
      actionsPerHour: 10,
      restartIdleWaha: false,
      wahaIdleMinutes: 60,
      calmMinutes: 10,
    },
    silences: [],
  };
}
