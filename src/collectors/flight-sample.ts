import type { FlightContainer, FlightSample } from '../model/recording.ts';
import type { ContainerInfo } from '../model/snapshot.ts';
import { heldBytes } from '../model/container-memory.ts';
import { openCgroups } from '../system/cgroups.ts';
import { OWN_CGROUP, guestOf } from '../system/guest.ts';
import { pageSize } from '../system/page-size.ts';
import type { Clock, Files } from '../system/types.ts';
import { createCpuPercent } from './docker.ts';
import { parsePressure, pressureFile } from './pressure.ts';
import { parseLoad, parseNumbers, readMemory } from './proc.ts';
import { createRate } from './rate.ts';

export type FlightSampler = {
  /** Reads the host and the containers of the last `follow`. Synchronous: six small files, and four of each container. */
  read(): FlightSample;
  /** The containers that are read from now on. */
  follow(containers: readonly ContainerInfo[]): void;
  close(): void;
};

/** Between two checks: what the minutes before a failure are shown by, and no more. Starts no process and asks nobody. */
export function createFlightSampler(files: Files, clock: Clock): FlightSampler {
  const kbPerPage = pageSize() / 1024;
  const cgroups = openCgroups(files.root);
  const guest = guestOf(files);
  // The counters of the kernel are those of the larger machine.
  const swapCounters = guest ? `${OWN_CGROUP}/memory.stat` : '/proc/vmstat';
  const percent = createCpuPercent();
  const swapIn = createRate();
  const swapOut = createRate();
  let followed: readonly ContainerInfo[] = [];

  function host(): Omit<FlightSample, 'at' | 'containers'> {
    const { memory, swap } = readMemory(files, guest);
    const pages = parseNumbers(files.textOr(swapCounters) ?? '', ['pswpin', 'pswpout']);
    const now = clock.monotonic();
    const [inPages, outPages] = [swapIn(pages.pswpin, now), swapOut(pages.pswpout, now)];
    const pressureOf = (of: string) => parsePressure(files.textOr(pressureFile(of, guest)) ?? '');
    const [memoryWait, cpu, io] = [pressureOf('memory'), pressureOf('cpu'), pressureOf('io')];
    return {
      availableBytes: memory.availableBytes,
      swapUsedBytes: swap.usedBytes,
      ...(inPages === undefined || swap.totalBytes === 0 ? {} : { swapInKBps: inPages * kbPerPage }),
      ...(outPages === undefined || swap.totalBytes === 0 ? {} : { swapOutKBps: outPages * kbPerPage }),
      load: parseLoad(files.textOr('/proc/loadavg') ?? '')[0],
      ...(memoryWait ? { memorySome: memoryWait.some.avg10 } : {}),
      ...(memoryWait?.full ? { memoryFull: memoryWait.full.avg10 } : {}),
      ...(cpu ? { cpuSome: cpu.some.avg10 } : {}),
      ...(io ? { ioSome: io.some.avg10 } : {}),
    };
  }

  function container(info: ContainerInfo): FlightContainer[] {
    const { id, name, pid } = info;
    const usage = pid === undefined ? undefined : cgroups.read(id, pid);
    // Where the cgroup files cannot be seen, what the last check had of Docker is repeated.
    const memory = usage?.memory ?? (usage === undefined && pid !== undefined ? info.memory : undefined);
    if (!memory) return [];
    const cpuPercent =
      usage?.cpuTotalNs === undefined
        ? undefined
        : percent.of(id, pid ?? 0, clock.monotonic(), usage.cpuTotalNs);
    return [
      {
        name,
        heldBytes: heldBytes(memory),
        swapBytes: memory.swapBytes ?? 0,
        ...(cpuPercent === undefined ? {} : { cpuPercent }),
      },
    ];
  }

  return {
    read: () => ({
      at: clock.now(),
      ...host(),
      containers: followed.flatMap(container).toSorted((a, b) => b.heldBytes - a.heldBytes),
    }),
    follow(containers) {
      followed = containers;
      const ids = new Set(containers.map(({ id }) => id));
      cgroups.keepOnly(ids);
      percent.keepOnly(ids);
    },
    close: () => cgroups.close(),
  };
}
