const UNITS: Record<string, number> = {
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** How a duration may be written, for error messages. */
export const DURATION_EXAMPLES = '30m, 2h, 1d or 1h30m';

/**
 * Milliseconds of a duration as people write it: `45s`, `30m`, `30min`, `2h`, `1d`, `1w`, `1h30m`. Undefined for anything
 * else, for zero, and for more than 10 years.
 */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim().toLowerCase();
  if (trimmed.length > 40 || !/^(?:\d+(?:\.\d+)?\s*(?:min|[smhdw])\s*)+$/.test(trimmed)) return undefined;
  let ms = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)\s*(min|[smhdw])/g)) {
    ms += Number(amount) * UNITS[unit!]!;
  }
  return ms > 0 && ms <= 10 * 365 * 86_400_000 ? Math.round(ms) : undefined;
}
