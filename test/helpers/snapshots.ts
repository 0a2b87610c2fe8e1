import type { ContainerInfo, HostValues, PressureValues } from '../../src/model/snapshot.ts';
import { SOURCE_IDS, type Readings, type Snapshot } from '../../src/model/sources.ts';

const MB = 1_048_576;

/** A snapshot in which every source is absent, but for `readings`. */
export function emptySnapshot(at: number, readings: Partial<Readings> = {}): Snapshot {
  const absent = Object.fromEntries(
    SOURCE_IDS.map((source) => [source, { state: 'absent', why: 'not here' }]),
  );
  return { at, tookMs: 12, readings: { ...(absent as unknown as Readings), ...readings } };
}

export function hostValues(values: Partial<HostValues> = {}): HostValues {
  return {
    bootId: 'b00t',
    hostname: 'vps',
    uptimeSec: 3600,
    cpus: 2,
    cpuPercent: 12.5,
    load: [0.5, 0.4, 0.3],
    memory: { totalBytes: 2000 * MB, availableBytes: 1400 * MB, usedBytes: 600 * MB },
    swap: { totalBytes: 2048 * MB, usedBytes: 100 * MB, zram: false },
    swapInKBps: 0,
    swapOutKBps: 0,
    cgroups: [{ name: 'system.slice', bytes: 300 * MB }],
    disks: [
      {
        mount: '/',
        device: '/dev/vda1',
        fsType: 'ext4',
        totalBytes: 40_000 * MB,
        usedBytes: 20_000 * MB,
        availableBytes: 18_000 * MB,
        usedPercent: 53,
        inodesTotal: 1000,
        inodesUsedPercent: 10,
      },
    ],
    ...values,
  };
}

export function pressureValues(score: number): PressureValues {
  const line = { avg10: score, avg60: score / 2, avg300: score / 4, totalUs: 1_500_000 };
  return { memory: { some: line, full: { ...line, avg10: score / 2 } }, cpu: { some: line }, score };
}

export function containerInfo(name: string, values: Partial<ContainerInfo> = {}): ContainerInfo {
  return {
    id: name.padEnd(64, '0'),
    name,
    image: `${name}:latest`,
    state: 'running',
    health: 'none',
    restartCount: 0,
    restartsLast5Min: 0,
    restartPolicy: 'unless-stopped',
    oomKilled: false,
    startedAt: 1_700_000_000_000,
    memory: { workingSetBytes: 120 * MB, anonBytes: 100 * MB, swapBytes: 0 },
    limitBytes: null,
    cpuPercent: 1.5,
    self: false,
    ...values,
  };
}

/** A host with memory, swap and pressure, and the containers handed in. */
export function snapshotOf(
  at: number,
  values: {
    usedBytes?: number;
    swapBytes?: number;
    score?: number;
    uptimeSec?: number;
    swapInKBps?: number;
    containers?: ContainerInfo[];
  } = {},
): Snapshot {
  const used = values.usedBytes ?? 600 * MB;
  return emptySnapshot(at, {
    host: {
      state: 'ok',
      tookMs: 1,
      value: hostValues({
        memory: { totalBytes: 2000 * MB, usedBytes: used, availableBytes: 2000 * MB - used },
        swap: { totalBytes: 2048 * MB, usedBytes: values.swapBytes ?? 100 * MB, zram: false },
        ...(values.uptimeSec === undefined ? {} : { uptimeSec: values.uptimeSec }),
        ...(values.swapInKBps === undefined ? {} : { swapInKBps: values.swapInKBps }),
      }),
    },
    pressure: { state: 'ok', tookMs: 1, value: pressureValues(values.score ?? 0) },
    docker: {
      state: 'ok',
      tookMs: 3,
      value: { version: '28.0.0', apiVersion: '1.48', containers: values.containers ?? [] },
    },
  });
}
