import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { median, slopePerHour } from '../../../src/model/trend.ts';
import { createHistory } from '../../../src/store/history/history.ts';
import { growthOfPoints } from '../../../src/store/history/growth.ts';
import { openStore } from '../../../src/store/open.ts';
import { containerInfo, snapshotOf } from '../../helpers/snapshots.ts';

const MB = 1_048_576;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test('the middle of odd, even and no values', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(median([])).toBeNaN();
});

test('a slope is not moved by outliers', () => {
  const line = Array.from({ length: 40 }, (_, i) => ({ at: i * MINUTE, value: 100 + i }));
  expect(slopePerHour(line)).toBeCloseTo(60);
  const spiked = line.map((point, i) => (i % 5 === 0 ? { ...point, value: 10_000 } : point));
  expect(slopePerHour(spiked)).toBeGreaterThan(55);
  expect(slopePerHour(spiked)).toBeLessThan(75);
  expect(slopePerHour([{ at: 0, value: 1 }])).toBeUndefined();
});

test('what was before a restart does not count', () => {
  const points = Array.from({ length: 48 }, (_, i) => ({
    at: i * 5 * MINUTE,
    value: i < 24 ? (500 + i) * MB : (100 + 2 * (i - 24)) * MB,
  }));
  expect(growthOfPoints(points)! / MB).toBeCloseTo(24);
  // Twenty minutes after a start nothing is known.
  expect(growthOfPoints(points.slice(0, 28))).toBeUndefined();
});

test('the growth of each container, fastest first; those that are gone are left out', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vpsmon-growth-'));
  const now = Date.UTC(2026, 0, 31, 12);
  const store = openStore(folder, now);
  store.db.exec('PRAGMA synchronous = OFF');
  const history = createHistory(store.db);
  let noise = 1;
  const random = () => (noise = (noise * 16_807) % 2_147_483_647) / 2_147_483_647 - 0.5;
  const memory = (bytes: number) => ({ memory: { workingSetBytes: bytes, anonBytes: Math.round(bytes) } });
  for (let at = now - 3 * HOUR; at <= now; at += MINUTE) {
    const hours = (at - now) / HOUR + 3;
    const containers = [
      containerInfo('redis', memory((50 + random()) * MB)),
      containerInfo('n8n', memory((300 + 14 * hours + 5 * random()) * MB)),
      // U3: since an hour ago it is swapped out as fast as it grows.
      containerInfo('leaks', {
        memory: {
          workingSetBytes: 200 * MB,
          anonBytes: (100 + 20 * Math.min(hours, 2)) * MB,
          swapBytes: 20 * Math.max(0, hours - 2) * MB,
        },
      }),
      containerInfo('shrinks', memory((300 - 6 * hours) * MB)),
    ];
    if (at < now - HOUR) containers.push(containerInfo('gone', memory((10 + 100 * hours) * MB)));
    history.add(snapshotOf(at, { containers }));
    history.flush(at);
  }
  const growth = history.growth(now, 3 * HOUR);
  expect(growth.map(({ name }) => name)).toEqual(['leaks', 'n8n', 'redis', 'shrinks']);
  expect(growth[0]!.bytesPerHour / MB).toBeCloseTo(20, 1);
  expect(growth[1]!.bytesPerHour / MB).toBeGreaterThan(13);
  expect(growth[1]!.bytesPerHour / MB).toBeLessThan(15);
  expect(Math.abs(growth[2]!.bytesPerHour / MB)).toBeLessThan(0.5);
  expect(growth[3]!.bytesPerHour / MB).toBeCloseTo(-6, 1);
  // Within ten minutes it is not computed again.
  expect(history.growth(now + 9 * MINUTE, 3 * HOUR)).toBe(growth);
  expect(history.growth(now + 10 * MINUTE, 3 * HOUR)).not.toBe(growth);
  store.close();
  rmSync(folder, { recursive: true, force: true });
});
