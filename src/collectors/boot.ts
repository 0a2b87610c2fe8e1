import type { Files } from '../system/types.ts';
import { parseStat } from './proc.ts';

/** Different after every boot. Kernels always have one; the boot time stands in where it is hidden. */
export function readBootId(files: Files): string {
  const id = files.textOr('/proc/sys/kernel/random/boot_id')?.trim();
  if (id) return id;
  const stat = files.textOr('/proc/stat');
  return stat === undefined ? '' : `btime-${parseStat(stat).bootTime}`;
}
