import {
  BYTES,
  COUNT,
  metric,
  type Metric,
  type MetricSample,
  PERCENT,
  type Put,
  SECONDS,
  source,
  type SourceRow,
} from './source.ts';
import { formatBytes, formatCount, formatDuration, formatTime, plain } from '../text.ts';
import type { Disk, HostValues, OomValues, PressureLine, PressureValues } from '../snapshot.ts';

/** What is read from the kernel. */
export const HOST_SOURCES = {
  host: source<HostValues>()({
    name: 'This host',
    section: 'host',
    rules: {
      'memory-available': {
        warning: 'below 100 MB',
        critical: 'below 50 MB',
        ends: 'above 130 MB',
        settings: '`MEMORY_WARNING_MB`, `MEMORY_CRITICAL_MB`, `MEMORY_CLEAR_MB`',
        row: 'memory',
        recovery: 'swap',
      },
      'swap-used': {
        warning: 'above 1 GB, or half of the swap where that is less',
        critical: 'above 2 GB, or 80 % of the swap',
        ends: '10 % below the warning',
        settings: '`SWAP_WARNING_MB`, `SWAP_THRESHOLD_MB`',
        row: 'swap',
        recovery: 'swap',
      },
      'swap-in': {
        about: 'rate, held 60 s',
        warning: 'above 1,000 KB/s',
        critical: 'above 5,000 KB/s while programs wait for memory',
        ends: 'below 500 KB/s',
        settings: '`SWAP_IN_WARNING_KBPS`, `_CRITICAL_KBPS`, `_CLEAR_KBPS`, `_HOLD_SEC`',
        row: 'swap',
        recovery: 'swap',
      },
      disk: {
        about: 'each mount',
        warning: 'above 80 %',
        critical: 'above 90 %',
        ends: '3 points below the warning',
        settings: '`DISK_WARNING_PCT`, `DISK_CRITICAL_PCT`',
        many: '# disks are nearly full',
      },
      inodes: {
        about: 'each mount',
        warning: 'above 80 %',
        critical: 'above 90 %',
        ends: '3 points below the warning',
        settings: '`DISK_WARNING_PCT`, `DISK_CRITICAL_PCT`',
        many: '# disks have nearly no inodes left',
      },
      'disk-read-only': {
        about: 'each mount',
        critical: 'the kernel stopped all writing to it after an error',
        ends: 'it can be written',
        many: '# disks are read-only after an error',
      },
      forecast: {
        about: 'by its growth; [how](forecast.md)',
        warning: 'full within 48 h',
        critical: 'full within 6 h',
        ends: 'it grows no more, or needs more than twice the warning',
        settings: '`FORECAST_WARNING_HOURS`, `FORECAST_CRITICAL_HOURS`',
        many: '# things will run out',
      },
    },
    metrics: [
      metric('swap_used_bytes', 'Swap in use, in bytes.', ({ swap }) => swap.usedBytes),
      metric(
        'swap_total_bytes',
        'Size of all swap, in bytes; 0 without swap.',
        ({ swap }) => swap.totalBytes,
      ),
      metric(
        'swap_in_kbps',
        'Read back from swap since the last check, in KB (1,024 bytes) per second.',
        ({ swapInKBps }) => swapInKBps,
      ),
      metric(
        'swap_out_kbps',
        'Written to swap since the last check, in KB (1,024 bytes) per second.',
        ({ swapOutKBps }) => swapOutKBps,
      ),
      metric('vpsmon_memory_total_bytes', 'Memory of the host, in bytes.', ({ memory }) => memory.totalBytes),
      metric(
        'vpsmon_memory_available_bytes',
        'Memory that programs can still get without swapping (MemAvailable), in bytes.',
        ({ memory }) => memory.availableBytes,
      ),
      metric(
        'vpsmon_memory_used_bytes',
        'Memory of the host that is not available, in bytes.',
        ({ memory }) => memory.usedBytes,
      ),
      metric(
        'vpsmon_cgroup_memory_bytes',
        'Memory of a top-level control group (system.slice, user.slice, docker), in bytes.',
        ({ cgroups }) => cgroups.map(({ name, bytes }) => ({ value: bytes, labels: { cgroup: name } })),
        ['cgroup'],
      ),
      metric('vpsmon_cpus', 'Number of CPUs.', ({ cpus }) => cpus),
      metric(
        'vpsmon_cpu_usage_ratio',
        'CPU use since the last check, 0 to 1 over all CPUs.',
        ({ cpuPercent }) => ratio(cpuPercent),
      ),
      metric(
        'vpsmon_load_average',
        'Load average over 1, 5 and 15 minutes.',
        ({ load }) => load.map((value, i) => ({ value, labels: { window: ['1m', '5m', '15m'][i]! } })),
        ['window'],
      ),
      metric(
        'vpsmon_uptime_seconds',
        'Time since the host was started, in seconds.',
        ({ uptimeSec }) => uptimeSec,
      ),
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
    ],
    row: { label: 'host', show: hostRows },
    history: keepHost,
  }),
  pressure: source<PressureValues>()({
    name: 'Memory pressure (PSI)',
    section: 'host',
    rules: {
      'memory-pressure': {
        about: 'score 0-100, held 30 s',
        warning: '60',
        critical: '80',
        ends: 'below 50',
        settings: '`MEMORY_PRESSURE_WARNING`, `_THRESHOLD`, `_CLEAR`, `_HOLD_SEC`',
        row: 'pressure',
        recovery: 'swap',
      },
    },
    metrics: [
      metric(
        'memory_pressure_score',
        'Memory pressure from 0 to 100: the larger of some.avg10 and twice full.avg10 of /proc/pressure/memory.',
        ({ score }) => score,
      ),
      metric(
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
      metric(
        'vpsmon_pressure_waiting_seconds_total',
        'Time for which some or all tasks waited for memory, CPU or I/O since the host was started, in seconds.',
        (values) => pressureSamples(values, (labels, line) => [{ value: line.totalUs / 1e6, labels }]),
        ['resource', 'kind'],
      ),
    ],
    row: { label: 'pressure', show: pressureText },
    history({ score, cpu, io }, put) {
      put('pressure.memory', PERCENT, score);
      put('pressure.cpu', PERCENT, cpu?.some.avg10);
      put('pressure.io', PERCENT, io?.some.avg10);
    },
  }),
  oom: source<OomValues>()({
    name: 'OOM kills',
    section: 'host',
    rules: {
      'oom-kill': {
        critical: 'each one',
        ends: 'happened once',
        many: '# processes were killed for want of memory',
        series: { over: 'has not run out of memory', before: 'its processes were killed' },
        row: 'OOM kills',
      },
    },
    metrics: [
      metric(
        'vpsmon_oom_kills_total',
        'Processes killed by the kernel for want of memory since the host was started.',
        ({ killsSinceBoot }) => killsSinceBoot,
      ),
    ],
    row: { label: 'OOM kills', show: oomText },
    history: ({ killsSinceBoot }, put) => put('oom.kills', COUNT, killsSinceBoot),
  }),
};

function disk(name: string, help: string, value: (disk: Disk) => number | undefined): Metric<HostValues> {
  return metric(
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

/** 23.4 % is 0.234 and not 0.23399999999999999. */
function ratio(percent: number | undefined): number | undefined {
  return percent === undefined ? undefined : Number((percent / 100).toPrecision(12));
}

function hostRows(h: HostValues): SourceRow[] {
  const { memory, swap } = h;
  const percent = Math.round((memory.availableBytes / Math.max(1, memory.totalBytes)) * 100);
  const rate = (kbps: number | undefined) =>
    kbps === undefined ? 'not measured yet' : `${formatCount(kbps)} KB/s`;
  return [
    {
      label: 'memory',
      text: `${formatBytes(memory.availableBytes)} of ${formatBytes(memory.totalBytes)} available (${percent} %)`,
    },
    {
      label: 'swap',
      text:
        swap.totalBytes === 0
          ? 'none on this host'
          : `${formatBytes(swap.usedBytes)} of ${formatBytes(swap.totalBytes)} used${swap.zram ? ' (zram, in memory)' : ''}, in ${rate(h.swapInKBps)}, out ${rate(h.swapOutKBps)}`,
    },
    {
      label: 'cpu',
      text: `load ${h.load.map((l) => l.toFixed(2)).join(' ')} on ${h.cpus} CPUs${h.cpuPercent === undefined ? '' : `, ${Math.round(h.cpuPercent)} % busy`}, up ${formatDuration(h.uptimeSec * 1000)}`,
    },
    ...h.disks.map((one): SourceRow => {
      const { mount, inodesUsedPercent } = one;
      const inodes = inodesUsedPercent === undefined ? '' : `, inodes ${Math.ceil(inodesUsedPercent)} %`;
      const text = `${plain(mount, 60)}: ${usedOf(one)}${inodes}`;
      return { label: 'disk', text, marks: `disk ${mount}` };
    }),
  ];
}

function usedOf({ usedPercent, totalBytes, availableBytes }: Disk): string {
  const percent = `${Math.ceil(usedPercent)} %`;
  if (totalBytes === undefined || availableBytes === undefined) return `${percent} used`;
  return `${percent} of ${formatBytes(totalBytes)} used, ${formatBytes(availableBytes)} free`;
}

function keepHost(host: HostValues, put: Put): void {
  put('memory.total', BYTES, host.memory.totalBytes);
  put('memory.available', BYTES, host.memory.availableBytes);
  put('memory.used', BYTES, host.memory.usedBytes);
  put('swap.total', BYTES, host.swap.totalBytes);
  put('swap.used', BYTES, host.swap.usedBytes);
  put('swap.in', COUNT, host.swapInKBps);
  put('swap.out', COUNT, host.swapOutKBps);
  put('cpu', PERCENT, host.cpuPercent);
  put('load', 0.01, host.load[0]);
  put('uptime', SECONDS, host.uptimeSec);
  for (const disk of host.disks) {
    put('disk.percent', PERCENT, disk.usedPercent, disk.mount);
    put('disk.available', BYTES, disk.availableBytes, disk.mount);
    put('disk.used', BYTES, disk.usedBytes, disk.mount);
    put('disk.inodes', PERCENT, disk.inodesUsedPercent, disk.mount);
  }
}

function pressureText({ score, memory, cpu, io }: PressureValues): string {
  const share = (line: { avg10: number } | undefined) => `${(line?.avg10 ?? 0).toFixed(1)} %`;
  const parts = [
    `memory score ${Math.round(score)} of 100 (some ${share(memory.some)}, full ${share(memory.full)})`,
    cpu && `cpu ${share(cpu.some)}`,
    io && `io ${share(io.some)}`,
  ];
  return parts.filter(Boolean).join(', ');
}

function oomText({ killsSinceBoot, kills, logUnreadable }: OomValues): string {
  const count = killsSinceBoot ?? kills.length;
  const last = kills.at(-1);
  const container = last?.containerName ? ` in ${plain(last.containerName, 60)}` : '';
  const who = last ? `, last ${formatTime(last.at)}: ${plain(last.process, 40)}${container}` : '';
  const unknown = logUnreadable ? ` (who: unknown, ${logUnreadable})` : '';
  return `${count === 0 ? 'none' : formatCount(count)} since boot${who}${unknown}`;
}
