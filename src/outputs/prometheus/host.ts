import type { Disk, PressureValues } from '../../model/snapshot.ts';
import { metricsOf, type Metric, type MetricSample } from './types.ts';

const host = metricsOf('host', 'host');
const pressure = metricsOf('pressure', 'host');
const oom = metricsOf('oom', 'host');

function disk(name: string, help: string, value: (disk: Disk) => number | undefined): Metric {
  return host(
    name,
    help,
    ({ disks }) =>
      disks.map((disk) => ({
        value: value(disk),
        labels: { mount: disk.mount, device: disk.device, fstype: disk.fsType },
      })),
    ['mount', 'device', 'fstype'],
  );
}

type PressureLine = PressureValues['memory']['some'];

/** Every line of /proc/pressure as `samples` sees it. */
function pressureSamples(
  values: PressureValues,
  samples: (labels: { resource: string; kind: string }, line: PressureLine) => MetricSample[],
): MetricSample[] {
  return (['memory', 'cpu', 'io'] as const).flatMap((resource) =>
    (['some', 'full'] as const).flatMap((kind) => {
      const line = values[resource]?.[kind];
      return line ? samples({ resource, kind }, line) : [];
    }),
  );
}

export const HOST_METRICS: readonly Metric[] = [
  pressure(
    'memory_pressure_score',
    'Memory pressure from 0 to 100: the larger of some.avg10 and twice full.avg10 of /proc/pressure/memory.',
    ({ score }) => score,
  ),
  host('swap_used_bytes', 'Swap in use, in bytes.', ({ swap }) => swap.usedBytes),
  host('swap_total_bytes', 'Size of all swap, in bytes; 0 without swap.', ({ swap }) => swap.totalBytes),
  host(
    'swap_in_kbps',
    'Read back from swap since the last check, in KB (1,024 bytes) per second.',
    ({ swapInKBps }) => swapInKBps,
  ),
  host(
    'swap_out_kbps',
    'Written to swap since the last check, in KB (1,024 bytes) per second.',
    ({ swapOutKBps }) => swapOutKBps,
  ),
  host('vpsmon_memory_total_bytes', 'Memory of the host, in bytes.', ({ memory }) => memory.totalBytes),
  host(
    'vpsmon_memory_available_bytes',
    'Memory that programs can still get without swapping (MemAvailable), in bytes.',
    ({ memory }) => memory.availableBytes,
  ),
  host(
    'vpsmon_memory_used_bytes',
    'Memory of the host that is not available, in bytes.',
    ({ memory }) => memory.usedBytes,
  ),
  host(
    'vpsmon_cgroup_memory_bytes',
    'Memory of a top-level control group (system.slice, user.slice, docker), in bytes.',
    ({ cgroups }) => cgroups.map(({ name, bytes }) => ({ value: bytes, labels: { cgroup: name } })),
    ['cgroup'],
  ),
  host('vpsmon_cpus', 'Number of CPUs.', ({ cpus }) => cpus),
  host('vpsmon_cpu_usage_ratio', 'CPU use since the last check, 0 to 1 over all CPUs.', ({ cpuPercent }) =>
    ratio(cpuPercent),
  ),
  host(
    'vpsmon_load_average',
    'Load average over 1, 5 and 15 minutes.',
    ({ load }) => load.map((value, i) => ({ value, labels: { window: ['1m', '5m', '15m'][i]! } })),
    ['window'],
  ),
  host('vpsmon_uptime_seconds', 'Time since the host was started, in seconds.', ({ uptimeSec }) => uptimeSec),
  disk('vpsmon_disk_size_bytes', 'Size of a file system, in bytes.', ({ totalBytes }) => totalBytes),
  disk(
    'vpsmon_disk_available_bytes',
    'Space of a file system that is free for programs without root, in bytes.',
    ({ availableBytes }) => availableBytes,
  ),
  disk('vpsmon_disk_used_ratio', 'Use of a file system as df shows it, 0 to 1.', ({ usedPercent }) =>
    ratio(usedPercent),
  ),
  disk(
    'vpsmon_disk_inodes_used_ratio',
    'Use of the inodes of a file system, 0 to 1; none where their number is not fixed.',
    ({ inodesUsedPercent }) => ratio(inodesUsedPercent),
  ),
  pressure(
    'vpsmon_pressure_ratio',
    'Share of time in which some or all tasks waited for memory, CPU or I/O, 0 to 1 over 10, 60 and 300 s.',
    (values) =>
      pressureSamples(values, (labels, line) => [
        { value: ratio(line.avg10), labels: { ...labels, window: '10s' } },
        { value: ratio(line.avg60), labels: { ...labels, window: '60s' } },
        { value: ratio(line.avg300), labels: { ...labels, window: '300s' } },
      ]),
    ['resource', 'kind', 'window'],
  ),
  pressure(
    'vpsmon_pressure_waiting_seconds_total',
    'Time for which some or all tasks waited for memory, CPU or I/O since the host was started, in seconds.',
    (values) => pressureSamples(values, (labels, line) => [{ value: line.totalUs / 1e6, labels }]),
    ['resource', 'kind'],
  ),
  oom(
    'vpsmon_oom_kills_total',
    'Processes killed by the kernel for want of memory since the host was started.',
    ({ killsSinceBoot }) => killsSinceBoot,
  ),
];

/** 23.4 % is 0.234 and not 0.23399999999999999. */
function ratio(percent: number | undefined): number | undefined {
  return percent === undefined ? undefined : Number((percent / 100).toPrecision(12));
}
