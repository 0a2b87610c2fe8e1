import { hostName } from '../config/server-name.ts';
import type { HostValues } from '../model/snapshot.ts';
import { plain } from '../model/text.ts';
import { guestOf } from '../system/guest.ts';
import { largestProcesses } from '../system/processes.ts';
import { readBootId, isZram, parseLoad, parseStat, parseUptime, readMemory } from './proc.ts';
import { createDisks } from './disks.ts';
import { createRate, createSwapRates } from './rate.ts';
import { createTopCgroups, largestServices } from './top-cgroups.ts';
import type { Collector, CollectorDeps } from './types.ts';

const MB = 1_048_576;
/** As many are named. */
const NAMED = 3;

/** Outside of containers, whose memory is known. Looked up only when somebody needs to know: it takes some milliseconds. */
function whoHoldsIt(files: CollectorDeps['system']['files']): Pick<HostValues, 'services' | 'processes'> {
  return { services: largestServices(files, NAMED), processes: largestProcesses(files, NAMED) };
}

/** Memory, swap, CPU, load, disks of the host. Rates come with the second reading. */
export function createHost({ system, config }: CollectorDeps): Collector<'host'> {
  const { files, clock } = system;
  const busyRate = createRate();
  const totalRate = createRate();
  const readDisks = createDisks(files, clock);
  const readCgroups = createTopCgroups(files, clock);
  const guest = guestOf(files);
  const swapRates = createSwapRates(files, clock, guest);
  let fixed: { bootId: string; hostname: string } | undefined;

  function rates(stat: ReturnType<typeof parseStat>) {
    const now = clock.monotonic();
    const busy = busyRate(stat.busy, now);
    const total = totalRate(stat.total, now);
    return {
      ...swapRates(),
      ...(busy === undefined || !total ? {} : { cpuPercent: Math.min(100, (busy / total) * 100) }),
    };
  }

  async function read(): Promise<HostValues> {
    const { memory, swap } = readMemory(files, guest);
    const stat = parseStat(files.text('/proc/stat'));
    fixed ??= { bootId: readBootId(files), hostname: plain(hostName(files) ?? '', 64) || 'unknown' };
    const changing = rates(stat);
    const { disks, unreadable } = await readDisks();
    return {
      ...fixed,
      uptimeSec: parseUptime(files.textOr('/proc/uptime') ?? ''),
      cpus: stat.cpus,
      ...changing,
      load: parseLoad(files.textOr('/proc/loadavg') ?? ''),
      memory,
      swap: { ...swap, zram: swap.totalBytes > 0 && isZram(files.textOr('/proc/swaps') ?? '') },
      cgroups: readCgroups(),
      ...(memory.availableBytes < config.settings.MEMORY_CLEAR_MB * MB ? whoHoldsIt(files) : {}),
      disks,
      ...(unreadable.length > 0 ? { disksUnreadable: unreadable } : {}),
    };
  }

  return { read };
}
