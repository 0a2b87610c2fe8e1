// The kinds of series that a forecast must know, made a third time: bytes of memory and swap of small machines, a value a minute that is never quite
// on the minute, leaks of 19 to 60 hours, and stories with an end of their own. Nothing in the forecast was chosen by these. `[seconds, bytes]`.
import { random } from './forecast-first.js';

const MB = 1_048_576;
const HOUR = 3600;
const DAY = 86_400;
const RAM = [512, 1024, 1024, 2048, 2048, 4096, 8192];

function chanceOf(seed) {
  const next = random(Math.imul(seed, 2_654_435_761) ^ 0x5bd1e995);
  const from = (low, high) => low + (high - low) * next();
  return {
    next,
    from,
    whole: (low, high) => Math.floor(from(low, high + 1)),
    oneOf: (...all) => all[Math.floor(next() * all.length)],
    bell: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  };
}

/** Samples of `use(t)` (share of the capacity) until `until` seconds, or until it is full. Noise: a bell, and now and then a short peak. */
function sampled(c, until, use, { noise, endsFull = false, isAt = () => true }) {
  const ram = c.oneOf(...RAM);
  const capacity = Math.round(ram * (1 + c.oneOf(0, 0.5, 1, 1, 2))) * MB;
  let drift = 0;
  const out = [];
  for (let t = c.from(0, 60); t < until; t += 60 + c.from(-4, 4)) {
    drift = 0.98 * drift + 0.2 * noise * c.bell();
    const peak = c.next() < 0.003 ? 4 * noise * c.next() : 0;
    const share = use(t) + drift + noise * c.bell() + peak;
    if (isAt(t))
      out.push([Math.round(t * 10) / 10, Math.round(Math.min(1, Math.max(0.01, share)) * capacity)]);
    if (endsFull && share >= 1) break;
  }
  return { capacity, series: out };
}

/** `before` seconds of rest, then growth from `base` to full in `life` seconds. */
function leak(seed, change = () => ({})) {
  const c = chanceOf(seed);
  const all = {
    base: c.from(0.25, 0.6),
    before: c.oneOf(c.from(0, 8), c.from(8, 36), c.from(24, 72), c.from(48, 120)) * HOUR,
    life: c.from(19, 60) * HOUR,
    noise: c.from(0.001, 0.006),
    grown: (x) => x,
    also: () => 0,
    isAt: () => true,
  };
  Object.assign(all, change(c, all));
  const { base, before, life, noise, grown, also, isAt } = all;
  const use = (t) => base + (1 - base) * grown(Math.max(0, (t - before) / life)) + also(t);
  return sampled(c, before + 1.5 * life, use, { noise, endsFull: true, isAt });
}

function piecewise(points) {
  return (x) => {
    const i = points.findIndex(([at]) => at > x);
    if (i < 0) return points.at(-1)[1] + (x - points.at(-1)[0]);
    const [[x0, y0], [x1, y1]] = [points[i - 1], points[i]];
    return y0 + ((x - x0) / (x1 - x0)) * (y1 - y0);
  };
}

/** Grows only while it works: `count` pieces of work of different size. */
function byWork(c, count, pause) {
  const sizes = Array.from({ length: count }, () => c.from(0.4, 1.6));
  const total = sizes.reduce((a, b) => a + b);
  const points = [[0, 0]];
  let [x, y] = [0, 0];
  for (const size of sizes) {
    const long = 1 / count;
    points.push([x + pause * long, y], [x + long, y + size / total]);
    [x, y] = [x + long, y + size / total];
  }
  return piecewise(points);
}

const hourOf = (t, shift) => (((t / HOUR + shift) % 24) + 24) % 24;
/** Two humps a day, as shops have them. */
const shop = (h) => Math.exp(-(((h - 11) / 3) ** 2)) + 0.7 * Math.exp(-(((h - 19) / 2.5) ** 2));
const away = (gaps) => (t) => !gaps.some(([at, long]) => t >= at && t < at + long);
const gapsOf = (c, count, from, to, longest) =>
  Array.from({ length: count }, () => [c.from(from, to), c.from(0.25, longest) * HOUR]);

export const THIRD_LEAKS = {
  linear: (seed) => leak(seed),
  noisy: (seed) => leak(seed, (c) => ({ noise: c.from(0.008, 0.025) })),
  stairs: (seed) =>
    leak(seed, (c, { life }) => {
      const count = Math.round(life / (c.from(0.5, 2.5) * HOUR));
      return { grown: (x) => Math.floor(x * count + 0.5) / count };
    }),
  bursts: (seed) =>
    leak(seed, (c, { life }) => ({
      grown: byWork(c, Math.round(life / (c.from(1.5, 5) * HOUR)), c.from(0.4, 0.9)),
    })),
  'gc sawtooth': (seed) =>
    leak(seed, (c, { base }) => {
      const [height, period] = [c.from(0.02, 0.12), c.from(5, 200) * 60];
      return { base: Math.min(base, 0.5), also: (t) => (height * (t % period)) / period };
    }),
  'daily cycle': (seed) =>
    leak(seed, (c) => {
      const [height, shift] = [c.from(0.03, 0.12), c.from(0, 24)];
      return {
        base: c.from(0.25, 0.5),
        before: c.from(26, 96) * HOUR,
        also: (t) => height * shop(hourOf(t, shift)),
      };
    }),
  'backup peak': (seed) =>
    leak(seed, (c) => {
      const [height, shift, long] = [c.from(0.04, 0.15), c.from(0, 24), c.from(0.3, 2)];
      return { base: c.from(0.25, 0.5), also: (t) => (hourOf(t, shift) < long ? height : 0) };
    }),
  'starts late': (seed) => leak(seed, (c) => ({ before: c.from(72, 140) * HOUR })),
  accelerating: (seed) =>
    leak(seed, (c) => {
      const power = c.from(1.2, 1.8);
      return { life: c.from(26, 60) * HOUR, grown: (x) => x ** power };
    }),
  gaps: (seed) =>
    leak(seed, (c, { before, life }) => ({
      isAt: away(gapsOf(c, c.whole(2, 6), 0, before + 0.9 * life, 4)),
    })),
  'a step late in it': (seed) =>
    leak(seed, (c, { base, life }) => {
      // A service starts at a random time of the leak, and stays.
      const [at, by] = [c.from(0.3, 0.85), c.from(0.02, 0.06)];
      return { grown: (x) => x * (1 - by / (1 - base)) + (x >= at ? by / (1 - base) : 0), life };
    }),
};

function healthy(seed, days, make) {
  const c = chanceOf(seed);
  const { use, noise = c.from(0.001, 0.008), isAt, change = (x) => x } = make(c);
  const made = sampled(c, days * DAY, (t) => Math.min(0.97, use(t)), { noise, ...(isAt ? { isAt } : {}) });
  return { ...made, series: change(made.series) };
}

function dayOf(c, height) {
  const [base, shift] = [c.from(0.2, 0.92 - 1.1 * height), c.from(0, 24)];
  const shape = c.oneOf(
    (h) => shop(h) / 1.05,
    (h) => 0.5 - 0.5 * Math.cos((h * Math.PI) / 12),
    (h) => Math.min(1, Math.max(0, (h - 7) / 2), Math.max(0, (22 - h) / 3)),
  );
  const each = Array.from({ length: 20 }, () => c.from(0.85, 1.1));
  return (t) => base + height * each[Math.floor((t / HOUR + shift) / 24)] * shape(hourOf(t, shift));
}

export const THIRD_HEALTHY = {
  'daily cycle': (seed) => healthy(seed, 8, (c) => ({ use: dayOf(c, c.from(0.03, 0.4)) })),
  'weekly cycle': (seed) =>
    healthy(seed, 15, (c) => {
      const [height, shift, first] = [c.from(0.05, 0.4), c.from(0, 24), c.whole(0, 6)];
      const base = c.from(0.2, 0.93 - height);
      const quiet = c.from(0.1, 0.6);
      return {
        use: (t) => {
          const day = (Math.floor((t / HOUR + shift) / 24) + first) % 7;
          return (
            base + (day < 5 ? 1 : quiet) * height * (0.5 - 0.5 * Math.cos((hourOf(t, shift) * Math.PI) / 12))
          );
        },
      };
    }),
  'warm-up': (seed) =>
    healthy(seed, 6, (c) => {
      const base = c.from(0.1, 0.5);
      const [rise, tau] = [c.from(0.1, 0.92 - base), c.from(0.3, 12) * HOUR];
      return { use: (t) => base + rise * (1 - Math.exp(-t / tau)) };
    }),
  'cache growth': (seed) =>
    healthy(seed, 8, (c) => {
      const base = c.from(0.15, 0.5);
      const [rise, tau, from] = [
        c.from(0.1, 0.92 - base),
        c.from(4, 30) * HOUR,
        c.oneOf(0, c.from(0, 60)) * HOUR,
      ];
      return { use: (t) => base + rise * (1 - Math.exp(-Math.max(0, t - from) / tau)) };
    }),
  step: (seed) =>
    healthy(seed, 6, (c) => {
      const base = c.from(0.2, 0.6);
      const [by, at, long] = [c.from(0.03, 0.92 - base), c.from(3, 120) * HOUR, c.from(1, 7200)];
      return { use: (t) => base + by * Math.min(1, Math.max(0, (t - at) / long)) };
    }),
  deploys: (seed) =>
    healthy(seed, 9, (c) => {
      const levels = [[0, c.from(0.3, 0.8)]];
      for (let t = c.from(2, 40) * HOUR; t < 9 * DAY; t += c.from(2, 40) * HOUR)
        levels.push([t, c.from(0.3, 0.8)]);
      const near = c.from(0.2, 0.8);
      return {
        use: (t) => {
          const [at, level] = levels.findLast(([from]) => from <= t) ?? levels[0];
          return near + 0.25 * (level - 0.5) - 0.06 * Math.exp(-(t - at) / HOUR);
        },
      };
    }),
  idle: (seed) =>
    healthy(seed, 8, (c) => {
      const base = c.from(0.1, 0.95);
      return { use: () => base, noise: c.from(0.0001, 0.003) };
    }),
  'backup peak': (seed) =>
    healthy(seed, 8, (c) => {
      const base = c.from(0.2, 0.7);
      const [height, shift, long] = [c.from(0.05, 0.94 - base), c.from(0, 24), c.from(0.2, 4)];
      return { use: (t) => base + (hourOf(t, shift) < long ? height : 0) };
    }),
  restart: (seed) =>
    healthy(seed, 9, (c) => {
      const base = c.from(0.15, 0.5);
      const [every, tau, rise] = [c.from(0.4, 3) * DAY, c.from(0.3, 4) * HOUR, c.from(0.05, 0.92 - base)];
      return { use: (t) => base + rise * (1 - Math.exp(-(t % every) / tau)) };
    }),
  wandering: (seed) =>
    healthy(seed, 9, (c) => {
      const [base, pull, sd] = [c.from(0.3, 0.7), c.from(4, 20) * HOUR, c.from(0.01, 0.07)];
      let [level, last] = [0, 0];
      return {
        use(t) {
          level += (-level * (t - last)) / pull + sd * Math.sqrt((2 * (t - last)) / pull) * c.bell();
          last = t;
          return base + level;
        },
      };
    }),
  gc: (seed) =>
    healthy(seed, 8, (c) => {
      const base = c.from(0.2, 0.6);
      const [height, period] = [c.from(0.03, 0.92 - base), c.from(0.1, 6) * HOUR];
      return { use: (t) => base + (height * (t % period)) / period };
    }),
  'slow leak': (seed) =>
    healthy(seed, 10, (c) => {
      const base = c.from(0.2, 0.6);
      return { use: (t) => base + ((1 - base) * t) / (30 * DAY) };
    }),
  gaps: (seed) =>
    healthy(seed, 9, (c) => ({
      use: dayOf(c, c.from(0.03, 0.35)),
      isAt: away(gapsOf(c, c.whole(3, 12), 0, 9 * DAY, 12)),
    })),
  'clock jumps': (seed) =>
    healthy(seed, 9, (c) => {
      const jumps = Array.from({ length: c.whole(1, 4) }, () => [
        c.from(0, 9 * DAY),
        c.oneOf(HOUR, -HOUR, c.from(-4, 4) * HOUR),
      ]);
      return {
        use: dayOf(c, c.from(0.03, 0.35)),
        change: (all) =>
          all.map(([t, v]) => [t + jumps.reduce((sum, [at, by]) => sum + (t >= at ? by : 0), 0), v]),
      };
    }),
};
