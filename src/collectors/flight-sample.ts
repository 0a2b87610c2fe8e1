import type { FlightContainer, FlightSample } from '../model/recording.ts';
import type { ContainerInfo, PressureOf } from '../model/snapshot.ts';
import type { Snapshot } from '../model/sources.ts';
import { heldBytes } from '../model/container-memory.ts';
import { openCgroups } from '../system/cgroups.ts';
import { guestOf } from '../system/guest.ts';
import type { Clock, Files } from '../system/types.ts';
import { createCpuPercent } from './docker.ts';
import { parsePressure, pressureFile } from './pressure.ts';
import { parseLoad, readMemory } from './proc.ts';
import { createSwapRates } from './rate.ts';

export type FlightSampler = {
  /** Reads the host and the containers of the last `follow`. Synchronous: six small files, and four of each container. */
  read(): FlightSample;
  /** The containers that are read from now on. */
  follow(containers: readonly ContainerInfo[]): void;
  /** Whether there are any. */
  follows(): boolean;
  close(): void;
};

/** Between two checks: what the minutes before a failure are shown by, and no more. Starts no process and asks nobody. */
export function createFlightSampler(files: Files, clock: Clock): FlightSampler {
  const cgroups = openCgroups(files.root);
  const guest = guestOf(files);
  const percent = createCpuPercent();
  const swapRates = createSwapRates(files, clock, guest);
  let followed: readonly ContainerInfo[] = [];

  function host(): Omit<FlightSample, 'at' | 'containers'> {
    const { memory, swap } = readMemory(files, guest);
    const pressureOf = (of: string) => parsePressure(files.textOr(pressureFile(of, guest)) ?? '');
    return {
      availableBytes: memory.availableBytes,
      swapUsedBytes: swap.usedBytes,
      ...(swap.totalBytes === 0 ? {} : swapRates()),
      load: parseLoad(files.textOr('/proc/loadavg') ?? '')[0],
      ...waiting({ memory: pressureOf('memory'), cpu: pressureOf('cpu'), io: pressureOf('io') }),
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
    return [flightContainer(name, memory, cpuPercent)];
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
    follows: () => followed.length > 0,
    close: () => cgroups.close(),
  };
}

/** The same from a check, whose rates are those since the check before. Undefined where it could not read what a sample has. */
export function sampleOf(
  { at, readings }: Snapshot,
  containers: readonly ContainerInfo[],
): FlightSample | undefined {
  const { host, pressure } = readings;
  if (host.state !== 'ok') return undefined;
  const { memory, swap, load, swapInKBps, swapOutKBps } = host.value;
  return {
    at,
    availableBytes: memory.availableBytes,
    swapUsedBytes: swap.usedBytes,
    ...(swap.totalBytes === 0 || swapInKBps === undefined ? {} : { swapInKBps }),
    ...(swap.totalBytes === 0 || swapOutKBps === undefined ? {} : { swapOutKBps }),
    load: load[0],
    ...(pressure.state === 'ok' ? waiting(pressure.value) : {}),
    containers: containers
      .flatMap(({ name, memory: held, cpuPercent }) =>
        held ? [flightContainer(name, held, cpuPercent)] : [],
      )
      .toSorted((a, b) => b.heldBytes - a.heldBytes),
  };
}

function flightContainer(
  name: string,
  memory: Parameters<typeof heldBytes>[0],
  cpuPercent: number | undefined,
): FlightContainer {
  const held = { name, heldBytes: heldBytes(memory), swapBytes: memory.swapBytes ?? 0 };
  return cpuPercent === undefined ? held : { ...held, cpuPercent };
}

type Waits = { [K in 'memory' | 'cpu' | 'io']?: PressureOf | undefined };

function waiting({ memory, cpu, io }: Waits): Partial<FlightSample> {
  return {
    ...(memory ? { memorySome: memory.some.avg10 } : {}),
    ...(memory?.full ? { memoryFull: memory.full.avg10 } : {}),
    ...(cpu ? { cpuSome: cpu.some.avg10 } : {}),
    ...(io ? { ioSome: io.some.avg10 } : {}),
  };
}
