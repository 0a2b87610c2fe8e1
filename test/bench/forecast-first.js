// Made-up series of used memory for forecast.js, one value a minute, capacity 100. The same seed gives the same series.

const DAY = 1440;

/** Mulberry32: small, seeded, good enough for this. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function tools(seed) {
  const next = random(seed);
  const between = (low, high) => low + (high - low) * next();
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  return { next, between, normal };
}

const cycle = (t, phase, period = DAY) => Math.sin((2 * Math.PI * (t + phase)) / period);

/** Grows from `base` to 100 in `hours`, after `quiet` minutes of nothing. `shape` maps the share of time to the share of growth. */
function leak(seed, { shape = (x) => x, add = () => 0, noise = 0.5, quietHours, hoursRange = [20, 72] }) {
  const t = tools(seed);
  const base = t.between(20, 55);
  const quiet = Math.round((quietHours ?? t.between(0, 36)) * 60);
  const minutes = Math.round(t.between(...hoursRange) * 60);
  const extra = add(t);
  const out = [];
  for (let i = 0; i < quiet + minutes * 1.5; i++) {
    const x = Math.max(0, (i - quiet) / minutes);
    const value = base + (100 - base) * shape(x, t) + extra(i) + noise * t.normal();
    out.push([i, Math.max(0, value)]);
    if (value >= 100 && i > quiet + minutes / 2) break;
  }
  return out;
}

const none = () => () => 0;

export const LEAKS = {
  linear: (seed) => leak(seed, { add: none }),
  noisy: (seed) => leak(seed, { add: none, noise: 2 }),
  stairs: (seed) => {
    const n = 10 + (seed % 15);
    return leak(seed, { add: none, shape: (x) => Math.floor(x * n) / n });
  },
  bursts: (seed) => {
    const next = random(seed + 1);
    const gains = Array.from({ length: 60 }, () => (next() < 0.35 ? 1 + 2 * next() : 0.15));
    const total = gains.reduce((a, b) => a + b, 0);
    const sums = gains.reduce((all, gain) => [...all, all.at(-1) + gain / total], [0]);
    return leak(seed, {
      add: none,
      shape: (x) => {
        const i = Math.min(59, Math.floor(x * 60));
        return x >= 1 ? x : sums[i] + (x * 60 - i) * (sums[i + 1] - sums[i]);
      },
    });
  },
  'gc sawtooth': (seed) =>
    leak(seed, {
      add: (t) => {
        const height = t.between(3, 10);
        const period = Math.round(t.between(10, 180));
        return (i) => (height * (i % period)) / period - height / 2;
      },
    }),
  'daily cycle': (seed) =>
    leak(seed, {
      quietHours: random(seed)() * 48 + 24,
      add: (t) => {
        const swing = t.between(2, 8);
        const phase = t.between(0, DAY);
        return (i) => swing * cycle(i, phase);
      },
    }),
  'backup peak': (seed) =>
    leak(seed, {
      add: (t) => {
        const height = t.between(5, 15);
        const at = Math.round(t.between(0, DAY));
        const long = t.between(20, 90);
        return (i) => ((i + at) % DAY < long ? height : 0);
      },
    }),
  'starts late': (seed) => leak(seed, { add: none, quietHours: 48 + 72 * random(seed)() }),
  accelerating: (seed) =>
    leak(seed, { add: none, shape: (x) => x ** (1.2 + 0.8 * random(seed)()), hoursRange: [30, 72] }),
  gaps: (seed) => {
    const next = random(seed + 7);
    const holes = Array.from({ length: 4 }, () => [next() * 5000, 30 + next() * 180]);
    return leak(seed, { add: none }).filter(([i]) => !holes.some(([at, long]) => i >= at && i < at + long));
  },
};

function healthy(seed, days, value, noise = 0.5) {
  const t = tools(seed);
  const base = t.between(25, 75);
  const f = value(t, base);
  const out = [];
  for (let i = 0; i < days * DAY; i++)
    out.push([i, Math.min(99.5, Math.max(0, base + f(i) + noise * t.normal()))]);
  return out;
}

export const HEALTHY = {
  'daily cycle': (seed) =>
    healthy(seed, 8, (t, base) => {
      const swing = t.between(3, Math.min(18, (97 - base) / 1.1));
      const phase = t.between(0, DAY);
      const sharp = t.between(0, 0.4);
      return (i) => swing * (cycle(i, phase) + sharp * cycle(i, phase, DAY / 2)) * 0.9;
    }),
  'weekly cycle': (seed) =>
    healthy(seed, 15, (t, base) => {
      const swing = t.between(3, Math.min(15, (95 - base) / 1.3));
      const phase = t.between(0, DAY);
      const weekday = Math.floor(t.between(0, 7));
      const weekend = t.between(0.2, 0.7);
      return (i) => swing * cycle(i, phase) * ((Math.floor(i / DAY) + weekday) % 7 < 5 ? 1 : weekend);
    }),
  'warm-up': (seed) =>
    healthy(seed, 6, (t, base) => {
      const rise = t.between(10, Math.min(40, 95 - base));
      const tau = t.between(2, 14) * 60;
      return (i) => rise * (1 - Math.exp(-i / tau));
    }),
  'cache growth': (seed) =>
    healthy(seed, 8, (t, base) => {
      const rise = t.between(10, Math.min(40, 95 - base));
      const tau = t.between(8, 30) * 60;
      const from = t.between(0, 2) * DAY;
      return (i) => (i < from ? 0 : rise * (1 - Math.exp(-(i - from) / tau)));
    }),
  step: (seed) =>
    healthy(seed, 6, (t, base) => {
      const rise = t.between(5, Math.min(30, 95 - base));
      const at = t.between(0.2, 4) * DAY;
      const long = t.between(1, 120);
      return (i) => rise * Math.min(1, Math.max(0, (i - at) / long));
    }),
  deploys: (seed) =>
    healthy(seed, 8, (t, base) => {
      const room = Math.min(12, (95 - base) / 2);
      const at = Array.from({ length: 8 }, () => [t.between(0, 8) * DAY, t.between(-room, room)]).sort(
        (a, b) => a[0] - b[0],
      );
      return (i) => {
        const now = at.filter(([from]) => from <= i).at(-1);
        return now ? now[1] + Math.min(2, (i - now[0]) / 120) : 0;
      };
    }),
  idle: (seed) => healthy(seed, 8, () => () => 0, 0.2),
  'backup peak': (seed) =>
    healthy(seed, 8, (t, base) => {
      const height = t.between(5, Math.min(30, 97 - base));
      const at = t.between(0, DAY);
      const long = t.between(20, 180);
      return (i) => ((i + at) % DAY < long ? height * Math.min(1, ((i + at) % DAY) / 15) : 0);
    }),
  restart: (seed) =>
    healthy(seed, 8, (t, base) => {
      const rise = t.between(5, Math.min(25, 95 - base));
      const every = t.between(1, 3) * DAY;
      return (i) => rise * (1 - Math.exp(-(i % every) / 200));
    }),
  wandering: (seed) => {
    let level = 0;
    return healthy(seed, 8, (t) => {
      const pull = 1 / (t.between(6, 24) * 60);
      const sd = t.between(2, 8);
      return () => (level += -level * pull + sd * Math.sqrt(2 * pull) * t.normal());
    });
  },
  gc: (seed) =>
    healthy(seed, 8, (t, base) => {
      const height = t.between(4, Math.min(25, 96 - base));
      const period = Math.round(t.between(10, 360));
      return (i) => (height * (i % period)) / period;
    }),
  'slow leak': (seed) =>
    healthy(seed, 10, (t, base) => {
      const perDay = Math.min(2.5, (95 - base) / 30);
      return (i) => (perDay * i) / DAY;
    }),
  gaps: (seed) => {
    const next = random(seed + 7);
    const holes = Array.from({ length: 8 }, () => [next() * 8 * DAY, 30 + next() * 600]);
    return HEALTHY['daily cycle'](seed).filter(
      ([i]) => !holes.some(([at, long]) => i >= at && i < at + long),
    );
  },
  'clock jumps': (seed) => {
    const next = random(seed + 9);
    const jumps = Array.from({ length: 3 }, () => [next() * 8 * DAY, (next() - 0.5) * 600]);
    return HEALTHY['daily cycle'](seed).map(([i, value]) => [
      i + jumps.reduce((sum, [at, by]) => sum + (i >= at ? Math.round(by) : 0), 0),
      value,
    ]);
  },
};
