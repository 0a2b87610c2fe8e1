// The same kinds of series as in forecast-first.js, made in another way, so that the forecast does not fit one generator: bytes
// of machines of 256 MB to 64 GB, a value every 10 s to 5 min, other noise, bases, lives and shapes. `[seconds, bytes]`.
import { random } from './forecast-first.js';

const MB = 1_048_576;
const HOUR = 3600;
const DAY = 86_400;
const CAPACITIES = [256, 512, 1024, 2048, 4096, 16_384, 65_536];
const STEPS = [10, 30, 60, 60, 60, 300];

function dice(seed) {
  const next = random(seed);
  for (let i = 0; i < 5; i++) next();
  const between = (low, high) => low + (high - low) * next();
  return {
    next,
    between,
    chance: (share) => next() < share,
    pick: (all) => all[Math.floor(next() * all.length)],
    normal: () => Array.from({ length: 12 }, next).reduce((a, b) => a + b) - 6,
  };
}

/** White, even, or noise that remembers. */
function noiseOf(d, sd) {
  const kind = d.pick(['normal', 'normal', 'even', 'remembers']);
  if (kind === 'even') return () => sd * 1.7 * (2 * d.next() - 1);
  if (kind === 'normal') return () => sd * d.normal();
  const keeps = d.between(0.8, 0.97);
  let last = 0;
  return () => (last = keeps * last + sd * Math.sqrt(1 - keeps * keeps) * d.normal());
}

function series(d, { seconds, value, noise, untilFull = false, after = 0 }) {
  const capacity = d.pick(CAPACITIES) * MB;
  const step = d.pick(STEPS);
  const out = [];
  for (let t = 0; t < seconds; t += step) {
    const share = Math.max(0.01, value(t) + noise());
    out.push([t, Math.round((Math.min(share, untilFull ? 2 : 0.995) * capacity) / 4096) * 4096]);
    if (untilFull && share >= 1 && t > after) break;
  }
  return { capacity, series: out };
}

function leak(seed, make = () => ({})) {
  const d = dice(seed);
  const lead = d.next();
  const about = {
    base: d.between(0.15, 0.65),
    start: lead < 0.25 ? 0 : lead < 0.45 ? d.between(1, 14) * HOUR : d.between(14, 96) * HOUR,
    life: (d.chance(0.15) ? d.between(16, 24) : d.between(22, 80)) * HOUR,
    sd: d.between(0.0005, 0.008),
    shape: (x) => x,
    extra: () => 0,
    change: (all) => all,
  };
  Object.assign(about, make(d, about));
  const { base, start, life, shape, extra } = about;
  const made = series(d, {
    seconds: start + life * 1.6,
    untilFull: true,
    after: start + life / 2,
    noise: noiseOf(d, about.sd),
    value: (t) => base + (1 - base) * shape(Math.max(0, (t - start) / life)) + extra(t),
  });
  return { ...made, series: about.change(made.series, d) };
}

function stairs(d, count, even) {
  const steps = Array.from({ length: count }, (_, i) => [
    (i + 0.5 + (even ? 0 : d.between(-0.45, 0.45))) / count,
    even ? 1 : d.between(0.4, 1.6),
  ]);
  const total = steps.reduce((sum, [, size]) => sum + size, 0);
  return (x) => steps.reduce((sum, [at, size]) => (at <= x ? sum + size / total : sum), Math.max(0, x - 1));
}

function bursts(d, count) {
  const all = Array.from({ length: count }, (_, i) => [
    (i + d.between(0.1, 0.9)) / count,
    d.between(0.2, 0.5) / count,
    d.between(0.5, 1.5),
  ]);
  const total = all.reduce((sum, [, , size]) => sum + size, 0);
  const trickle = d.between(0, 0.3);
  const grown = (x) =>
    all.reduce(
      (sum, [at, long, size]) => sum + (size / total) * Math.min(1, Math.max(0, (x - at) / long)),
      0,
    );
  return (x) => trickle * x + (1 - trickle) * grown(x) + Math.max(0, x - 1.05);
}

const timeOfDay = (t, phase) => ((t + phase) % DAY) / DAY;
/** Up in the morning, flat, down in the evening. */
const office = (y) => (y > 0.3 && y < 0.8 ? Math.min(1, (y - 0.3) * 8, (0.8 - y) * 8) : 0);

function holes(all, d, count, hours) {
  const [first, last] = [all[0][0], all.at(-1)[0]];
  const missing = Array.from({ length: count }, () => [
    first + d.next() * (last - first),
    d.between(0.3, hours) * HOUR,
  ]);
  return all.filter(
    ([t], i) => i === all.length - 1 || !missing.some(([at, long]) => t >= at && t < at + long),
  );
}

export const OTHER_LEAKS = {
  linear: (seed) => leak(seed),
  noisy: (seed) => leak(seed, (d) => ({ sd: d.between(0.012, 0.035) })),
  stairs: (seed) =>
    leak(seed, (d, { life }) => ({
      shape: stairs(d, Math.max(6, Math.round(life / (d.between(0.7, 3.5) * HOUR))), d.chance(0.5)),
    })),
  bursts: (seed) =>
    leak(seed, (d, { life }) => ({
      shape: bursts(d, Math.max(5, Math.round(life / (d.between(2, 6) * HOUR)))),
    })),
  'gc sawtooth': (seed) =>
    leak(seed, (d, { base }) => {
      const [height, period] = [d.between(0.02, 0.15), d.between(3, 240) * 60];
      return { base: Math.min(base, 0.6), extra: (t) => (height * (t % period)) / period };
    }),
  'daily cycle': (seed) =>
    leak(seed, (d, { base }) => {
      const [swing, phase, worked] = [d.between(0.02, 0.1), d.between(0, DAY), d.chance(0.4)];
      return {
        base: Math.min(base, 0.5),
        start: d.chance(0.7) ? d.between(24, 96) * HOUR : d.between(0, 24) * HOUR,
        extra: (t) => {
          const y = timeOfDay(t, phase);
          return worked ? 1.5 * swing * office(y) : swing * Math.sin(2 * Math.PI * y);
        },
      };
    }),
  'backup peak': (seed) =>
    leak(seed, (d, { base }) => {
      const [height, phase, long] = [d.between(0.04, 0.2), d.between(0, DAY), d.between(15, 120) * 60];
      return { base: Math.min(base, 0.6), extra: (t) => ((t + phase) % DAY < long ? height : 0) };
    }),
  'starts late': (seed) => leak(seed, (d) => ({ start: d.between(60, 150) * HOUR })),
  accelerating: (seed) =>
    leak(seed, (d) => {
      const life = d.between(28, 90) * HOUR;
      const [isPower, by] = [d.chance(0.5), d.next()];
      if (isPower) return { life, shape: (x) => x ** (1.2 + by) };
      const power = 0.5 + 2 * by;
      return { life, shape: (x) => Math.expm1(power * x) / Math.expm1(power) };
    }),
  gaps: (seed) => leak(seed, () => ({ change: (all, d) => holes(all, d, 2 + Math.floor(6 * d.next()), 5) })),
};

function healthy(seed, days, make) {
  const d = dice(seed);
  const { value, sd = d.between(0.0005, 0.01), change = (all) => all } = make(d);
  const made = series(d, { seconds: days * DAY, value, noise: noiseOf(d, sd) });
  return { ...made, series: change(made.series, d) };
}

function daily(d, swing) {
  const [base, phase, worked] = [d.between(0.2, 0.9 - swing), d.between(0, DAY), d.chance(0.4)];
  const days = Array.from({ length: 12 }, () => d.between(0.85, 1.1));
  const second = d.between(0, 0.08);
  return (t) => {
    const y = timeOfDay(t, phase);
    const wave = worked
      ? office(y)
      : 0.5 - 0.5 * Math.cos(2 * Math.PI * y) + second * Math.sin(4 * Math.PI * y);
    return base + swing * days[Math.floor((t + phase) / DAY)] * wave;
  };
}

export const OTHER_HEALTHY = {
  'daily cycle': (seed) => healthy(seed, 8, (d) => ({ value: daily(d, d.between(0.04, 0.35)) })),
  'weekly cycle': (seed) =>
    healthy(seed, 15, (d) => {
      const swing = d.between(0.05, 0.3);
      const [base, phase] = [d.between(0.2, 0.9 - swing), d.between(0, 7 * DAY)];
      const [weekend, sharp] = [d.between(0.1, 0.7), d.between(0.3, 1)];
      return {
        value: (t) =>
          base +
          swing *
            (Math.floor((t + phase) / DAY) % 7 < 5 ? 1 : weekend) *
            (0.5 - 0.5 * Math.cos(2 * Math.PI * timeOfDay(t, phase))) ** sharp,
      };
    }),
  'warm-up': (seed) =>
    healthy(seed, 6, (d) => {
      const base = d.between(0.1, 0.5);
      const [rise, tau] = [d.between(0.1, 0.93 - base), d.between(0.5, 16) * HOUR];
      const shape = d.pick([
        (t) => 1 - Math.exp(-t / tau),
        (t) => 1 - Math.exp(-t / tau),
        (t) => t / (t + tau),
        (t) => 1 / (1 + Math.exp(-(t - 2 * tau) / (tau / 2))),
      ]);
      return { value: (t) => base + rise * shape(t) };
    }),
  'cache growth': (seed) =>
    healthy(seed, 9, (d) => {
      const base = d.between(0.15, 0.5);
      const [rise, tau] = [d.between(0.1, 0.93 - base), d.between(3, 36) * HOUR];
      const from = d.chance(0.5) ? 0 : d.between(6, 72) * HOUR;
      const shape = d.pick([
        (t) => 1 - Math.exp(-t / tau),
        (t) => Math.log1p((4 * t) / tau) / Math.log1p((36 * DAY) / tau),
        (t) => Math.sqrt(t / (9 * DAY)),
      ]);
      return { value: (t) => base + rise * shape(Math.max(0, t - from)) };
    }),
  step: (seed) =>
    healthy(seed, 6, (d) => {
      const base = d.between(0.15, 0.6);
      const rise = d.between(0.05, 0.93 - base);
      const [at, long] = [d.between(2, 110) * HOUR, d.between(0, 180) * 60 + 1];
      return { value: (t) => base + rise * Math.min(1, Math.max(0, (t - at) / long)) };
    }),
  deploys: (seed) =>
    healthy(seed, 9, (d) => {
      const base = d.between(0.25, 0.6);
      const all = [];
      for (let t = d.between(3, 48) * HOUR; t < 9 * DAY; t += d.between(3, 48) * HOUR)
        all.push([t, d.between(-0.1, 0.1)]);
      const [dip, long] = [d.chance(0.5) ? d.between(0.05, 0.2) : 0, d.between(0.1, 2) * HOUR];
      return {
        value(t) {
          const last = all.findLast(([at]) => at <= t);
          return last ? base + last[1] - dip * Math.exp(-(t - last[0]) / long) : base;
        },
      };
    }),
  idle: (seed) =>
    healthy(seed, 8, (d) => {
      const base = d.between(0.1, 0.95);
      return { sd: d.between(0.0001, 0.003), value: () => base };
    }),
  'backup peak': (seed) =>
    healthy(seed, 8, (d) => {
      const base = d.between(0.2, 0.7);
      const [height, phase] = [d.between(0.05, 0.95 - base), d.between(0, DAY)];
      const [long, ramps] = [d.between(10, 240) * 60, d.chance(0.5)];
      return {
        value(t) {
          const y = (t + phase) % DAY;
          return y < long ? base + (ramps ? (height * y) / long : height) : base;
        },
      };
    }),
  restart: (seed) =>
    healthy(seed, 9, (d) => {
      const [base, every, tau] = [d.between(0.15, 0.5), d.between(0.5, 3) * DAY, d.between(0.5, 4) * HOUR];
      if (d.chance(0.5)) {
        const rise = d.between(0.05, 0.93 - base);
        return { value: (t) => base + rise * (1 - Math.exp(-(t % every) / tau)) };
      }
      const rise = Math.min(0.93 - base, ((0.16 * every) / DAY) * d.between(0.3, 1));
      return { value: (t) => base + (rise * (t % every)) / every };
    }),
  wandering: (seed) =>
    healthy(seed, 9, (d) => {
      const [base, tau, sd] = [d.between(0.25, 0.7), d.between(4, 24) * HOUR, d.between(0.01, 0.07)];
      let [level, last] = [0, 0];
      return {
        value(t) {
          const step = Math.max(1, t - last);
          last = t;
          level += (-level * step) / tau + sd * Math.sqrt((2 * step) / tau) * d.normal();
          return base + level;
        },
      };
    }),
  gc: (seed) =>
    healthy(seed, 8, (d) => {
      const base = d.between(0.2, 0.6);
      const [height, period] = [d.between(0.03, 0.93 - base), d.between(5, 420) * 60];
      return { value: (t) => base + (height * (t % period)) / period };
    }),
  'slow leak': (seed) =>
    healthy(seed, 10, (d) => {
      const base = d.between(0.2, 0.6);
      return { value: (t) => base + ((1 - base) * t) / (30 * DAY) };
    }),
  gaps: (seed) =>
    healthy(seed, 9, (d) => ({
      value: daily(d, d.between(0.04, 0.3)),
      change: (all) => holes(all, d, 3 + Math.floor(10 * d.next()), 12),
    })),
  'clock jumps': (seed) =>
    healthy(seed, 9, (d) => ({
      value: daily(d, d.between(0.04, 0.3)),
      change(all) {
        const jumps = Array.from({ length: 1 + Math.floor(5 * d.next()) }, () => [
          d.next() * 9 * DAY,
          Math.round(d.chance(0.3) ? d.pick([-HOUR, HOUR]) : d.between(-5, 5) * HOUR),
        ]);
        return all.map(([t, v]) => [t + jumps.reduce((sum, [at, by]) => sum + (t >= at ? by : 0), 0), v]);
      },
    })),
};
