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

/** A fresh copy of what holds without a vpsmon.yaml. */
export function defaultExtra(): Extra {
  return {
    services: [],
    // The built-in lead_count is the collector's own; one of that name here replaces it.
    sqlMetrics: [],
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
