import type { FlightSample, Recording } from '../../src/model/recording.ts';

export const MB = 1_048_576;
export const END = Date.UTC(2026, 10, 28, 3, 12, 0);

/** Ten minutes in which `scraper` leaks beside a busy one, a sample in five seconds; the last 200 MB of the leak are in swap. */
export function leakingSamples(end = END, count = 120): FlightSample[] {
  return Array.from({ length: count }, (_, i) => {
    const part = i / (count - 1);
    const held = (210 + 690 * part) * MB;
    return {
      at: end - (count - 1 - i) * 5000,
      availableBytes: Math.max(38, 640 - 700 * part) * MB,
      swapUsedBytes: (12 + 500 * Math.max(0, part - 0.5)) * MB,
      swapInKBps: i === 0 ? undefined : part > 0.9 ? 5100 : 0,
      swapOutKBps: i === 0 ? undefined : part > 0.5 ? 2000 : 0,
      load: 0.5 + 8 * part,
      memorySome: part > 0.8 ? 92 * part : 0,
      memoryFull: part > 0.8 ? 40 * part : 0,
      cpuSome: 12,
      ioSome: 40 * part,
      containers: [
        { name: 'scraper', heldBytes: held, swapBytes: Math.max(0, part - 0.7) * 660 * MB, cpuPercent: 3 },
        { name: 'busy', heldBytes: 120 * MB, swapBytes: 0, cpuPercent: 88.4 },
        { name: 'n8n', heldBytes: 90 * MB, swapBytes: 4096, cpuPercent: 0.2 },
      ],
    } as FlightSample;
  });
}

export function leakingRecording(): Recording {
  return {
    bootId: 'b00t',
    memoryTotalBytes: 1000 * MB,
    swapTotalBytes: 1024 * MB,
    samples: leakingSamples(),
  };
}
