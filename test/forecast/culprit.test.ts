import { describe, expect, test } from 'vitest';
import { culpritOf } from '../../src/forecast/culprit.ts';
import { addSample, newSeries } from '../../src/forecast/series.ts';
import { random } from '../bench/forecast-first.js';
import { containerInfo } from '../helpers/snapshots.ts';

const MB = 1_048_576;
const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 5);
/** Every mixture is 60 hours long; the leak begins at hour 30 unless it says otherwise. */
const HOURS = 60;

type Use = (hour: number, noise: () => number) => number;
const flat =
  (mb: number): Use =>
  (_, noise) =>
    mb + 0.01 * mb * noise();
const leak =
  (mb: number, perHour: number, from = 30): Use =>
  (hour, noise) =>
    mb + perHour * Math.max(0, hour - from) + 2 * noise();
const noisy =
  (mb: number, share: number): Use =>
  (_, noise) =>
    mb * (1 + share * noise());
/** Highest at the end: it rose for the last twelve hours. */
const daily =
  (mb: number, swing: number): Use =>
  (hour) =>
    mb + swing * Math.cos(((hour - HOURS) * Math.PI) / 12);
const restarted =
  (mb: number, perHour: number, at: number): Use =>
  (hour) =>
    mb + perHour * (hour < at ? Math.max(0, hour - 20) : hour - at);
/** It grows all day, and is restarted at the same hour of each. */
const nightly =
  (mb: number, perHour: number, lastAt: number): Use =>
  (hour, noise) =>
    mb + perHour * ((hour - lastAt + 240) % 24) + 2 * noise();
const step =
  (mb: number, by: number, at: number): Use =>
  (hour, noise) =>
    mb + (hour < at ? 0 : by) + noise();
const sawtooth =
  (mb: number, height: number, hours: number): Use =>
  (hour) =>
    mb + (height * (hour % hours)) / hours;

type Mixture = {
  name: string;
  containers: Record<string, Use>;
  outside?: Use;
  limits?: Record<string, number>;
  startedAt?: Record<string, number>;
  /** MB an hour that the host is announced to grow. */
  perHour?: number;
  expected: object;
};

const container = (name: string, more: object = {}) => ({ kind: 'container', name, others: [], ...more });

const MIXTURES: Mixture[] = [
  {
    name: 'one leak among flat ones',
    containers: { n8n: leak(400, 40), postgres: flat(300), redis: flat(60), waha: flat(500) },
    expected: container('n8n'),
  },
  {
    name: 'a small leak beside a large, noisy container',
    containers: { waha: noisy(900, 0.1), api: leak(80, 15), redis: flat(60) },
    expected: container('api'),
  },
  {
    name: 'a leak beside one that rises every day, and faster than it just now',
    containers: { web: daily(600, 200), n8n: leak(300, 30), redis: flat(60) },
    expected: container('n8n'),
  },
  {
    name: 'the leaking one was restarted in between',
    containers: { n8n: restarted(300, 40, 45), waha: flat(500), redis: flat(60) },
    expected: container('n8n'),
  },
  {
    name: 'an innocent one was restarted and warmed up',
    containers: { waha: step(100, 400, 50), n8n: leak(300, 35), redis: flat(60) },
    expected: container('n8n'),
  },
  {
    name: 'the one with a limit leaks',
    containers: { api: leak(200, 20), n8n: flat(500) },
    limits: { api: 1024 },
    expected: container('api', { limitBytes: 1024 * MB }),
  },
  {
    name: 'two grow',
    containers: { n8n: leak(300, 30), waha: leak(400, 22), redis: flat(60) },
    expected: container('n8n', { others: [expect.objectContaining({ name: 'waha' })] }),
  },
  {
    name: 'many grow a little',
    containers: Object.fromEntries(
      Array.from({ length: 12 }, (_, i) => [`tenant-${i}`, leak(80, 4 + (i % 3))]),
    ),
    expected: { kind: 'many', count: 12 },
  },
  {
    name: 'what grows is no container',
    containers: { n8n: flat(400), waha: noisy(500, 0.05) },
    outside: leak(300, 40),
    expected: { kind: 'outside' },
  },
  {
    name: 'a busy one whose memory is collected every few hours',
    containers: { java: sawtooth(500, 300, 5), n8n: leak(300, 30), redis: flat(60) },
    expected: container('n8n'),
  },
  {
    name: 'growth began with a deploy',
    containers: { n8n: leak(300, 40, 33), waha: flat(500) },
    startedAt: { n8n: 33 },
    expected: container('n8n', { startedAt: START + 33 * HOUR, image: 'n8n:latest' }),
  },
  {
    name: 'a restart does not stop its growth, and the version is not to blame',
    containers: { n8n: restarted(300, 40, 45), waha: flat(500) },
    startedAt: { n8n: 45 },
    expected: container('n8n', {
      since: expect.toSatisfy((at: number) => Math.abs(at - START - 45 * HOUR) < HOUR),
    }),
  },
  {
    name: 'a leak from the first moment on, while another one shrinks',
    containers: { n8n: leak(300, 25, 0), waha: leak(900, -10, 0), redis: flat(60) },
    expected: container('n8n'),
  },
  {
    name: 'the leak goes to and fro with the day, and the largest one only does that',
    containers: {
      shop: (hour, noise) => leak(300, 35)(hour, noise) + daily(0, 60)(hour, noise),
      web: daily(700, 150),
      redis: flat(60),
    },
    expected: container('shop'),
  },
  {
    name: 'the leak is in bursts',
    containers: {
      jobs: (hour) => 300 + 25 * Math.floor(Math.max(0, hour - 30)),
      waha: noisy(600, 0.08),
      java: sawtooth(400, 100, 3),
    },
    expected: container('jobs'),
  },
  {
    name: 'the leaking one is killed every eight hours and begins anew, another leaks slowly on',
    containers: { crash: sawtooth(200, 400, 8), n8n: leak(300, 25), redis: flat(60) },
    expected: container('n8n'),
  },
  {
    name: 'one is killed every eight hours and grows faster between than the young leak that goes on',
    containers: {
      crash: sawtooth(200, 200, 8),
      n8n: leak(300, 22, 49),
      backup: (hour) => (hour % 24 < 1 ? 700 : 60),
    },
    expected: container('n8n'),
  },
  {
    name: 'one that took a step half a day ago is no grower',
    containers: { shop: step(200, 500, 51), n8n: leak(300, 22, 42), redis: flat(60) },
    expected: container('n8n'),
  },
  {
    name: 'growth that becomes faster, beside one that was deployed meanwhile and holds more',
    containers: {
      api: (hour, noise) => 200 + 0.9 * Math.max(0, hour - 24) ** 2 + 3 * noise(),
      shop: step(0, 900, 40),
      redis: flat(60),
    },
    startedAt: { shop: 40 },
    expected: container('api'),
  },
  {
    name: 'a backup that needs much for an hour each night, and a slow leak',
    containers: {
      backup: (hour) => (hour % 24 < 1 ? 800 : 20),
      waha: leak(400, 18, 20),
      n8n: noisy(500, 0.05),
    },
    expected: container('waha'),
  },
  {
    name: 'a leak among two hundred that each go to and fro',
    containers: {
      ...Object.fromEntries(Array.from({ length: 199 }, (_, i) => [`flat-${i}`, noisy(30, 0.2)])),
      leaking: leak(100, 30),
    },
    expected: container('leaking'),
  },
  {
    name: 'a process of the host grows, and a container a little',
    containers: { n8n: leak(400, 6), waha: flat(300) },
    outside: leak(300, 30),
    expected: { kind: 'outside' },
  },
  {
    name: 'a container grows, while the cache of the host outside of containers swings',
    containers: { n8n: leak(400, 25), waha: flat(300) },
    outside: noisy(400, 0.15),
    expected: container('n8n'),
  },
  ...[2, 9, 14, 23].flatMap((hoursAgo) =>
    [20, 45].map((perHour) => ({
      name: `one that is restarted every night, ${hoursAgo} hours ago, gives back what it grows by ${perHour} MB an hour`,
      containers: { n8n: leak(300, 30, 40), queue: nightly(200, perHour, HOURS - hoursAgo), redis: flat(60) },
      startedAt: { queue: HOURS - hoursAgo },
      expected: container('n8n'),
    })),
  ),
  {
    name: 'one that is restarted every night grows far more today',
    containers: {
      n8n: (hour: number, noise: () => number) =>
        hour < 51 ? nightly(200, 10, 51)(hour, noise) : leak(200, 50, 51)(hour, noise),
      waha: flat(500),
    },
    startedAt: { n8n: 51 },
    expected: container('n8n', { startedAt: START + 51 * HOUR }),
  },
  {
    name: 'three grow alike: no single culprit',
    containers: { a: leak(200, 14), b: leak(220, 15), c: leak(210, 14), redis: flat(60) },
    expected: { kind: 'many', count: 3 },
  },
  {
    name: 'the leak was there for days, and was released at hour 2 with a deploy',
    containers: { n8n: leak(300, 15, 2), waha: daily(500, 100), redis: flat(60) },
    startedAt: { n8n: 2 },
    expected: container('n8n', { startedAt: START + 2 * HOUR }),
  },
  {
    name: 'an innocent one was restarted nine hours ago, and warmed up again faster than the leak grows',
    containers: {
      web: (hour) => (hour < 51 ? 500 : 150 + 350 * (1 - Math.exp(-(hour - 51) / 1.8))),
      n8n: leak(300, 16, 48),
      redis: flat(60),
    },
    startedAt: { web: 51 },
    expected: container('n8n'),
  },
  {
    name: 'the leaking one was restarted, and gave back less than a quarter of what it holds',
    containers: { n8n: restarted(700, 15, 35), other: daily(300, 20), cache: leak(200, 5, 40) },
    startedAt: { n8n: 35 },
    expected: container('n8n'),
  },
  {
    name: 'a leak of ten hours, after a day in which all of the host warmed up',
    containers: {
      n8n: leak(300, 20, 50),
      web: (hour) => 200 + 250 * (1 - Math.exp(-hour / 20)),
      redis: flat(60),
    },
    perHour: 20,
    expected: container('n8n'),
  },
];

function seriesOf(use: Use, seed: number) {
  const next = random(seed);
  const noise = () => next() + next() + next() - 1.5;
  const series = newSeries();
  for (let minute = 0; minute <= HOURS * 60; minute++)
    addSample(series, START + minute * 60_000, use(minute / 60, noise) * MB);
  return series;
}

describe('who makes the host full', () => {
  test.each(MIXTURES)(
    '$name',
    ({ containers, outside = flat(300), limits, startedAt, perHour = 0, expected }) => {
      for (const seed of [1, 2, 3]) {
        const uses = Object.entries(containers);
        const candidates = uses.map(([name, use], i) => ({
          container: containerInfo(name, {
            limitBytes: limits?.[name] ? limits[name] * MB : null,
            startedAt: startedAt?.[name] ? START + startedAt[name] * HOUR : START - 90 * 24 * HOUR,
          }),
          series: seriesOf(use, 100 * seed + i),
        }));
        const total: Use = (hour, noise) =>
          uses.reduce((sum, [, use]) => sum + use(hour, noise), outside(hour, noise));
        const growth = { host: seriesOf(total, seed), perHour: perHour * MB };
        const found = culpritOf(growth, candidates, seriesOf(outside, 50 + seed));
        expect(found.culprit).toMatchObject(expected);
        if (!('startedAt' in expected)) expect(found.culprit).not.toHaveProperty('startedAt');
      }
    },
  );
});
