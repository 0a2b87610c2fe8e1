import type { Settings } from '../config/schema.ts';
import type { Finding } from '../model/finding.ts';
import type { HostValues } from '../model/snapshot.ts';
import type { Snapshot } from '../model/sources.ts';
import { formatBytes, formatCount } from '../model/text.ts';
import { levelOf } from './level.ts';
import { memoryAdvice, memoryDetails } from './memory-details.ts';
import type { Judge } from './types.ts';

const MB = 1_048_576;

export const swapUsed: Judge<'host'> = (host, { snapshot, past, config }) => {
  const { settings } = config;
  const { swap } = host;
  // The settings suit a large swap: where there is less, its half and its 80 % count, or the alert could never come.
  const share = (part: number) => (swap.totalBytes > 0 ? swap.totalBytes * part : Infinity);
  const warning = Math.min(settings.SWAP_WARNING_MB * MB, share(0.5));
  const level = levelOf(swap.usedBytes, {
    bad: 'above',
    warning,
    critical: Math.min(settings.SWAP_THRESHOLD_MB * MB, share(0.8)),
    clear: warning * 0.9,
  });
  const used = `Swap use is ${formatBytes(swap.usedBytes)}`;
  const finding: Finding = {
    rule: 'swap-used',
    subject: 'host',
    ...level,
    value: swap.usedBytes,
    unit: 'bytes',
    text: level.verdict === 'breach' ? `${used}, above ${formatBytes(level.limit)}` : used,
  };
  if (level.verdict === 'breach') {
    finding.details = [
      `Swap in all: ${formatBytes(swap.totalBytes)}${swap.zram ? ' (zram: it is kept, compressed, in memory)' : ''}`,
      ...memoryDetails(snapshot, past),
      ...memoryAdvice({ snapshot, past, config }),
    ];
    // Zram is meant to be full: it is memory, compressed. Then a full one harms only where somebody waits.
    if (swap.zram && nobodyWaits(host, snapshot, settings)) finding.severity = 'warning';
  }
  return [finding];
};

/** Where the kernel does not show who waits for memory, much of it that is available is the evidence. */
function nobodyWaits({ memory }: HostValues, { readings }: Snapshot, settings: Settings): boolean {
  const { pressure } = readings;
  if (pressure.state === 'ok') return pressure.value.score < settings.MEMORY_PRESSURE_CLEAR;
  return pressure.state === 'absent' && memory.availableBytes > settings.MEMORY_CLEAR_MB * MB;
}

export const swapIn: Judge<'host'> = (host, { snapshot, past, config }) => {
  const { settings } = config;
  const holdMs = settings.SWAP_IN_HOLD_SEC * 1000;
  const about = { rule: 'swap-in', subject: 'host', unit: 'kBps', holdMs } as const;
  if (host.swap.totalBytes === 0) {
    // In a guest (lxcfs) the kernel's counters are the physical machine's: without swap of its own nothing here swaps.
    return [{ ...about, severity: 'warning', verdict: 'ok', text: 'There is no swap here' }];
  }
  if (host.swapInKBps === undefined) {
    return [{ ...about, severity: 'warning', verdict: 'unknown', text: 'The swap-in rate is not known yet' }];
  }
  const level = levelOf(host.swapInKBps, {
    bad: 'above',
    warning: settings.SWAP_IN_WARNING_KBPS,
    critical: settings.SWAP_IN_CRITICAL_KBPS,
    clear: settings.SWAP_IN_CLEAR_KBPS,
  });
  const rate = `${formatCount(host.swapInKBps)} KB/s`;
  const finding: Finding = {
    ...about,
    ...level,
    value: host.swapInKBps,
    text:
      level.verdict === 'breach'
        ? `The server is swapping: ${rate} are read back from swap, above ${formatCount(level.limit)} KB/s`
        : `Swap-in rate is ${rate}`,
  };
  if (level.verdict === 'breach') {
    finding.details = [...memoryDetails(snapshot, past), ...memoryAdvice({ snapshot, past, config })];
    // Reading back from zram, or a program that wakes up, harms nobody while nothing waits for memory.
    if (nobodyWaits(host, snapshot, settings)) finding.severity = 'warning';
  }
  return [finding];
};
