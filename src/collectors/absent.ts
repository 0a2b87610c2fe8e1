import { absent, type Absent } from '../model/reading.ts';
import type { Discovered } from '../model/targets.ts';

/** What a collector returns without a target: it is not here; or it is, and cannot be read, which is a failure. */
export function withoutTarget(
  { missing, unreadable = [] }: Discovered,
  kind: 'postgres' | 'redis' | 'n8n' | 'waha',
  otherwise: string,
): Absent {
  const why = missing[kind] ?? otherwise;
  if (unreadable.includes(kind)) throw new Error(`it is here, and not watched: ${why}`);
  return absent(why);
}
