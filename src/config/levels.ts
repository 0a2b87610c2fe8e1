import {
  definitionOf,
  placeOf,
  type Key,
  type KeyDefinition,
  type Origin,
  type Problem,
  type Settings,
} from './schema.ts';

/** Settings that belong together, each at most as high as the next one. */
const LADDERS: readonly (readonly Key[])[] = [
  ['MEMORY_PRESSURE_CLEAR', 'MEMORY_PRESSURE_WARNING', 'MEMORY_PRESSURE_THRESHOLD'],
  ['MEMORY_CRITICAL_MB', 'MEMORY_WARNING_MB', 'MEMORY_CLEAR_MB'],
  ['SWAP_WARNING_MB', 'SWAP_THRESHOLD_MB'],
  ['SWAP_IN_CLEAR_KBPS', 'SWAP_IN_WARNING_KBPS', 'SWAP_IN_CRITICAL_KBPS'],
  ['DISK_WARNING_PCT', 'DISK_CRITICAL_PCT'],
  ['FORECAST_CRITICAL_HOURS', 'FORECAST_WARNING_HOURS'],
  ['POSTGRES_CACHE_CRITICAL', 'POSTGRES_CACHE_THRESHOLD'],
  ['POSTGRES_CONNECTIONS_WARNING_PCT', 'POSTGRES_CONNECTIONS_CRITICAL_PCT'],
  ['N8N_QUEUE_CLEAR', 'N8N_QUEUE_WARNING', 'N8N_QUEUE_CRITICAL'],
  ['WAHA_WARNING_MINUTES', 'WAHA_CRITICAL_MINUTES'],
];

type Origins = Record<Key, Origin>;
type Step = { key: Key; value: number; set: boolean };

/**
 * Levels that are mixed up are a problem where somebody set both. Where only one was set and a default is in its way
 * (MEMORY_PRESSURE_THRESHOLD=50 under a warning level of 60), the default gives way in proportion. Changes `settings`.
 */
export function orderLevels(settings: Settings, origins: Origins): Problem[] {
  return LADDERS.flatMap((ladder) => orderLadder(ladder, settings, origins));
}

function orderLadder(ladder: readonly Key[], settings: Settings, origins: Origins): Problem[] {
  const steps = ladder.map((key) => ({
    key,
    value: settings[key] as number,
    set: origins[key].from !== 'default',
  }));
  const explicit = steps.filter((step) => step.set);
  const mixedUp = explicit.flatMap((step, i) => {
    const lower = explicit[i - 1];
    return lower && lower.value > step.value ? [mixUp(lower, step, origins)] : [];
  });
  if (mixedUp.length > 0 || ascending(steps)) return mixedUp;
  for (const [i, step] of steps.entries()) {
    if (step.set) continue;
    const below = steps.slice(0, i).findLast((s) => s.set);
    const above = steps.slice(i + 1).find((s) => s.set);
    const anchor = (above ?? below)!;
    Object.assign(settings, { [step.key]: fit(step, below, above) });
    origins[step.key] = { from: 'default', follows: anchor.key };
  }
  return [];
}

function ascending(steps: Step[]): boolean {
  return steps.every((step, i) => i === 0 || steps[i - 1]!.value <= step.value);
}

function fit(step: Step, below: Step | undefined, above: Step | undefined): number {
  const definition = definitionOf(step.key) as Extract<KeyDefinition, { type: 'int' | 'number' }>;
  if (below && above) return clamp(step.value, below.value, above.value);
  const anchor = (below ?? above)!;
  const scaled = (step.value * anchor.value) / (definitionOf(anchor.key).default as number);
  const rounded = definition.type === 'int' ? Math.round(scaled) : Math.round(scaled * 10) / 10;
  const low = Math.max(definition.min, below?.value ?? definition.min);
  const high = Math.min(definition.max, above?.value ?? definition.max);
  return clamp(rounded, low, high);
}

function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value));
}

function mixUp(lower: Step, upper: Step, origins: Origins): Problem {
  // Reported at the one that stands later, where the other has been read already.
  const [at, other] =
    (origins[lower.key].line ?? 0) > (origins[upper.key].line ?? 0) ? [lower, upper] : [upper, lower];
  const relation = at === upper ? `at least ${lower.key}` : `at most ${upper.key}`;
  return {
    level: 'error',
    ...placeOf(origins[at.key]),
    key: at.key,
    text: `expected ${relation} (${other.value}${where(origins[other.key])}), found ${at.value}. The two may be swapped`,
  };
}

function where(origin: Origin): string {
  return origin.line === undefined ? '' : `, line ${origin.line}`;
}
