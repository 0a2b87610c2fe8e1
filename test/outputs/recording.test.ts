import { expect, it } from 'vitest';
import { recordingToJson, renderRecording } from '../../src/outputs/terminal/recording.ts';
import { styleFor, width } from '../../src/outputs/terminal/style.ts';
import { leakingRecording, MB } from '../recorder/flights.ts';

it('draws the minutes before within 80 columns, with a row a minute and who held how much', () => {
  const lines = renderRecording(leakingRecording(), styleFor(false), 80);
  for (const line of lines) expect(width(line), line).toBeLessThanOrEqual(80);
  const text = lines.join('\n');
  expect(lines[0]).toBe('The minutes before  03:02:05 to 03:12:00, 120 samples');
  expect(text).toMatch(/available {9}[\u2581-\u2588 ]+ 640 MB -> 38 MB/);
  expect(text).toMatch(/scraper {11}[\u2581-\u2588 ]+ 210 MB -> 900 MB/);
  expect(lines.filter((line) => /^ {2}03:/.test(line)).length).toBe(13);
  expect(lines.findLast((line) => line.startsWith('  scraper   '))).toMatch(/210 MB .* 900 MB +198 MB +3 %$/);
});

it('tells long names apart by their ends, and stays within 80 columns where much is swapped', () => {
  const recording = leakingRecording();
  for (const [i, sample] of recording.samples.entries()) {
    sample.swapInKBps = i === 60 ? 1_245_678 : 45_678;
    sample.containers = [1, 2, 3].map((n) => ({
      name: `shop-production-worker-background-${n}`,
      heldBytes: 1009.9 * MB,
      swapBytes: 1009.9 * MB,
    }));
  }
  const lines = renderRecording(recording, styleFor(false), 80);
  for (const line of lines) expect(width(line), line).toBeLessThanOrEqual(80);
  const names = lines.flatMap((line) => /^ {2}(shop-\S+)/.exec(line)?.[1] ?? []);
  expect(names).toEqual([
    ...[1, 2, 3].map((n) => `shop-pr…ground-${n}`),
    ...[1, 2, 3].map((n) => `shop-produc…background-${n}`),
  ]);
});

it('names the peak of what was killed, and lists it first', () => {
  const recording = leakingRecording();
  recording.samples.at(-1)!.containers = [
    { name: 'busy', heldBytes: 120 * MB, swapBytes: 0 },
    { name: 'scraper', heldBytes: 60 * MB, swapBytes: 0 },
  ];
  recording.samples.at(-1)!.availableBytes = 900 * MB;
  const lines = renderRecording(recording, styleFor(false), 80);
  for (const line of lines) expect(width(line), line).toBeLessThanOrEqual(80);
  expect(lines.find((line) => line.startsWith('  available'))).toMatch(/ 640 MB -> 38 MB -> 900 MB$/);
  const containers = lines.filter((line) => / MB -> /.test(line)).slice(-3);
  expect(containers[0]).toMatch(/^ {2}scraper .* 210 MB -> 894 MB -> 60 MB$/);
  expect(containers.map((line) => line.trim().split(' ')[0])).toEqual(['scraper', 'busy', 'n8n']);
});

it('values that are not known are blank, and nothing is drawn of what is never there', () => {
  const recording = leakingRecording();
  for (const sample of recording.samples) {
    delete sample.swapInKBps;
    delete sample.memorySome;
    sample.containers = [];
  }
  const text = renderRecording({ ...recording, swapTotalBytes: 0 }, styleFor(false), 80).join('\n');
  expect(text).not.toMatch(/swap-in|wait for memory|swap used|CONTAINER/);
  expect(renderRecording({ ...recording, samples: [] }, styleFor(false), 80)).toEqual([]);
});

it('has a documented shape in JSON', () => {
  const json = recordingToJson(leakingRecording()) as { samples: Record<string, unknown>[] };
  expect(Object.keys(json)).toEqual(['memory_total_bytes', 'swap_total_bytes', 'samples']);
  expect(json.samples[0]).toMatchObject({
    at: '2026-11-28T03:02:05.000Z',
    swap_in_kbps: null,
    memory_some_percent: 0,
    containers: [{ name: 'scraper', held_bytes: 220_200_960, swap_bytes: 0, cpu_percent: 3 }, {}, {}],
  });
});
