// How light it is, measured side by side in one run of about nine minutes: `npm run bench`. Needs root (a Docker engine of its own) and
// Debian's docker.io, busybox-static, postgresql and redis-server. Prints a table; ends with 1 when a budget is missed. Memory and CPU
// (user and system time) are read from the kernel and not by the clock on the wall, so other work on the machine matters little.
//   --minutes N     how long the monitor is watched (default 2)
//   --containers N  more than 20: measured with 20 first, then with so many, two to four minutes more
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startTelegram } from '../standins/telegram.js';
import { startBenchDatabases } from './databases.js';
import { startBenchEngine } from './engine.js';
import {
  childFaultsOf,
  cpuInTurn,
  cpuOfRun,
  cpuOf,
  end,
  health,
  median,
  memoryOf,
  peakOf,
  sleep,
  start,
  startOf,
} from './measure.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = join(root, 'bin/vpsmon.js');
const argument = (name, fallback) => {
  const i = process.argv.indexOf(`--${name}`);
  return i < 0 ? fallback : Number(process.argv[i + 1]);
};
const minutes = argument('minutes', 2);
const containers = argument('containers', 20);
/** The case that the budgets are for. */
const FEW = 20;
const EVERY_SEC = 10;
const SAMPLE_MS = 500;
/** Docker collects its garbage every two minutes, whoever asks it: 8 ms, which have to be in both of what is compared. */
const IDLE_SEC = 120;
const KILLS = 50;
/** What `node -e 0` takes on the machine that the budgets in milliseconds were set on. */
const REFERENCE_MS = 24;
const work = mkdtempSync(join(tmpdir(), 'vpsmon-bench-'));
const cleanups = [];
let missed = 0;

const widths = [66, 10, 12, 7];

/** One line of the table, printed at once. */
function row(what, value, unit, budget, note = '') {
  const verdict = budget === undefined ? '' : value <= budget ? 'kept' : 'MISSED';
  if (verdict === 'MISSED') missed += 1;
  const number = (n) => (unit === 'x' ? n.toFixed(2) : String(Number(n.toFixed(1))));
  const limit = budget === undefined ? '' : `<= ${number(budget)} ${unit}`;
  const cells = [what.padEnd(widths[0]), `${number(value)} ${unit}`.padStart(widths[1]), limit, verdict];
  console.log(`${cells.map((cell, i) => cell.padEnd(widths[i])).join('  ')}  ${note}`.trimEnd());
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** A configuration, and the arguments that name it with a state folder of its own. */
async function configure(name, settings) {
  const port = await freePort();
  const conf = join(work, `${name}.conf`);
  const all = { SERVICE_CHECK_INTERVAL: EVERY_SEC, HTTP_LISTEN: `127.0.0.1:${port}`, ...settings };
  const lines = Object.entries(all).map(([key, value]) => `${key}=${value}\n`);
  writeFileSync(conf, lines.join(''), { mode: 0o600 });
  return { port, options: ['--config', conf, '--state-dir', join(work, name)] };
}

/** Starts the monitor as its unit does, and waits for its first checks. */
async function startMonitor(name, settings, before = []) {
  const { port, options } = await configure(name, settings);
  const { flags, env } = startOf('vps-monitor');
  const child = start(process.execPath, [...flags, ...before, bin, 'monitor', ...options], env);
  cleanups.push(() => end(child));
  for (;;) {
    await sleep(500);
    if (child.exitCode !== null) throw new Error(`the monitor ended: ${child.log}`);
    const { checks } = await health(port).catch(() => ({ checks: 0 }));
    if (checks >= 2) return { child, port, options };
  }
}

/**
 * Watches processes for the given time: memory at its end, and CPU in samples of half a second. In every interval the check is what
 * stands out, two samples side by side; the rest is what comes between two checks. What other programs do on the same cores makes everything
 * take more CPU, up to twice as much: `node -e 0` is measured in every interval, and what it takes there more or less than REFERENCE_MS
 * is taken out.
 */
async function watch(monitors, engine) {
  const perInterval = (EVERY_SEC * 1000) / SAMPLE_MS;
  const seen = monitors.map(({ child }) => ({ last: cpuOf(child.pid), samples: [] }));
  const faults = monitors.map(({ child }) => childFaultsOf(child.pid));
  const dockerBefore = engine ? cpuOf(engine.pid) : 0;
  const intervals = Math.round((minutes * 60) / EVERY_SEC);
  const nothing = [];
  for (let i = 0; i < intervals * perInterval; i += 1) {
    if (i % perInterval === 0)
      nothing.push(cpuOfRun([process.execPath, '-e', '0'], { PATH: process.env.PATH }));
    await sleep(SAMPLE_MS);
    monitors.forEach(({ child }, m) => {
      const now = cpuOf(child.pid);
      seen[m].samples.push(now - seen[m].last);
      seen[m].last = now;
    });
  }
  const docker = engine ? (cpuOf(engine.pid) - dockerBefore) / intervals : 0;
  const speed = REFERENCE_MS / median(nothing);
  return monitors.map(({ child }, m) => {
    const [checks, betweens] = [[], []];
    for (let i = 0; i < seen[m].samples.length; i += perInterval) {
      const samples = seen[m].samples.slice(i, i + perInterval);
      const most = Math.max(...samples.map((n, at) => n + (samples[at + 1] ?? 0)));
      const rest = (samples.reduce((sum, n) => sum + n, 0) - most) / (perInterval - 2);
      betweens.push(rest * perInterval);
      checks.push(most - 2 * rest);
    }
    return {
      memory: memoryOf(child.pid),
      check: median(checks) * speed,
      between: median(betweens) * speed,
      docker: docker * speed,
      speed,
      faults: childFaultsOf(child.pid) - faults[m],
    };
  });
}

function rowsOf(name, seen, { anonymous, pss, check }) {
  row(`${name}: anonymous memory`, seen.memory.anonymous, 'MB', anonymous);
  row(`${name}: PSS`, seen.memory.pss, 'MB', pss);
  row(
    `${name}: CPU of a check`,
    seen.check,
    'ms',
    check,
    `and ${seen.between.toFixed(1)} ms in the ${EVERY_SEC} s between two; node -e 0 took ${(REFERENCE_MS / seen.speed).toFixed(0)} ms meanwhile, this is for ${REFERENCE_MS}`,
  );
}

async function measureMemory() {
  const { flags, env } = startOf('vps-monitor');
  const child = start(process.execPath, [...flags, '-e', 'setInterval(() => {}, 1000)'], env);
  await sleep(2000);
  row('an empty Node process: anonymous memory', memoryOf(child.pid).anonymous, 'MB');
  await end(child);

  const engine = await startBenchEngine(work, FEW);
  cleanups.push(() => engine.stop());
  await sleep(10_000);
  const idleFrom = cpuOf(engine.pid);
  await sleep(IDLE_SEC * 1000);
  const idlePerInterval = ((cpuOf(engine.pid) - idleFrom) / IDLE_SEC) * EVERY_SEC;

  const socket = { DOCKER_HOST: `unix://${engine.socket}` };
  const none = await startMonitor('none', { DOCKER_HOST: `unix://${work}/nowhere.sock` });
  const few = await startMonitor('few', socket);
  const [seenNone, seenFew] = await watch([none, few], engine);
  await end(none.child);
  rowsOf('no Docker', seenNone, { anonymous: 14, pss: 50, check: 5 });
  rowsOf(`${FEW} containers`, seenFew, { anonymous: 14, pss: 50, check: 5 });
  const idle = idlePerInterval * seenFew.speed;
  const note = `${seenFew.docker.toFixed(2)} ms, less ${idle.toFixed(2)} ms that it spends in ${EVERY_SEC} s with nobody there`;
  row(`${FEW} containers: what a check costs Docker`, Math.max(0, seenFew.docker - idle), 'ms', 1, note);
  row('processes started while watching (page faults of children)', seenNone.faults + seenFew.faults, '', 0);
  return { engine, few };
}

async function measureMany(engine, few) {
  await engine.resize(containers);
  const many = await startMonitor('many', { DOCKER_HOST: `unix://${engine.socket}` });
  const [seen] = await watch([many]);
  await end(many.child);
  rowsOf(`${containers} containers`, seen, { check: 40 });
  row(
    `growth from ${FEW} to ${containers} containers: anonymous memory`,
    seen.memory.anonymous - few,
    'MB',
    10,
  );
}

/** The monitor with everything in use, the other units beside it, and what all four take in an hour. */
async function measureUnits(engine, telegram) {
  const databases = await startBenchDatabases(work);
  cleanups.push(() => databases.stop());
  const everything = await startMonitor('everything', {
    DOCKER_HOST: `unix://${engine.socket}`,
    ...databases.settings,
    TELEGRAM_API_ROOT: telegram.url,
    TELEGRAM_BOT_TOKEN: telegram.token,
    TELEGRAM_CHAT_ID: telegram.chatId,
  });
  const [seen] = await watch([everything]);
  const { reasons } = await health(everything.port);
  if (/postgres|redis/.test(reasons.join())) throw new Error(reasons.join());
  rowsOf(`${FEW} containers, PostgreSQL, Redis, Telegram`, seen, { anonymous: 20, pss: 58 });

  const line = (unit, ...words) => [
    process.execPath,
    ...startOf(unit).flags,
    bin,
    ...words,
    ...everything.options,
  ];
  // To the console: Telegram takes one report after the other only at its own pace.
  const drawing = line('vps-daily-report', 'report', 'console');
  const recover = line('vps-auto-recovery', 'recover', 'run-all');
  const report = line('vps-daily-report', 'report', 'telegram');
  const exporter = line('vps-metrics-exporter', 'export', 'all');
  const { env } = startOf('vps-auto-recovery');
  const peakExport = peakOf(exporter, env);
  row('peak of recover: resident memory', peakOf(recover, env), 'MB', 90);
  row('peak of report, with its picture: resident memory', peakOf(report, env), 'MB', 180);
  await telegram.waitUntil(() => telegram.sent.some(({ photo }) => photo), 60_000);
  row('peak of export: resident memory', peakExport, 'MB', 70);

  const once = [process.execPath, bin, 'monitor', '--once'];
  const { options } = await configure('once', { DOCKER_HOST: `unix://${engine.socket}` });
  const empty = [process.execPath, '-e', '0'];
  const quick = [empty, [process.execPath, bin, '--version'], [process.execPath, bin, '--help'], exporter];
  const [nothing, version, help, exporting] = cpuInTurn(quick, 9, env);
  const slow = [empty, recover, drawing, [...once, ...options]];
  const [meanwhile, recovering, reporting, looking] = cpuInTurn(slow, 3, env);
  await end(everything.child);
  const ratio = (name, cpu, budget) =>
    row(
      `${name} against node -e 0: CPU`,
      cpu / nothing,
      'x',
      budget,
      `${cpu.toFixed(0)} ms, ${nothing.toFixed(0)} ms`,
    );
  ratio('vpsmon --version', version, 1.6);
  ratio('vpsmon --help', help, 1.6);
  ratio('vpsmon export, the monitor running,', exporting, 3);
  const speed = REFERENCE_MS / meanwhile;
  row(
    `vpsmon monitor --once, ${FEW} containers: CPU`,
    looking * speed,
    'ms',
    250,
    `for node -e 0 in ${REFERENCE_MS} ms`,
  );
  // A check every 30 s is the default. The report runs once a day.
  const monitoring = 120 * seen.check + 360 * seen.between;
  const others = (12 * recovering + reporting / 24) * speed + (60 * exporting * REFERENCE_MS) / nothing;
  const hour = (monitoring + others) / 1000;
  const parts = `monitor ${(monitoring / 1000).toFixed(1)} s, 12 times recover ${recovering.toFixed(0)} ms, 60 times export, report ${reporting.toFixed(0)} ms a day`;
  row('all four units in an hour: CPU', hour, 's', 20, parts);
}

/** From the death of a container's process to the message that Telegram accepted. */
async function measureDeaths(engine, telegram) {
  await engine.resize(FEW + KILLS);
  const pids = await Promise.all(Array.from({ length: KILLS }, (_, i) => engine.pidOf(FEW + i)));
  const skip = ['--import', join(root, 'test/bench/clock.js')];
  const settings = {
    TELEGRAM_API_ROOT: telegram.url,
    TELEGRAM_BOT_TOKEN: telegram.token,
    TELEGRAM_CHAT_ID: telegram.chatId,
  };
  const monitor = await startMonitor('deaths', { DOCKER_HOST: `unix://${engine.socket}`, ...settings }, skip);
  await telegram.waitFor(1, 30_000);
  telegram.clear();
  const took = [];
  for (const [i, pid] of pids.entries()) {
    // Each one a crash of its own, as far as bursts and Telegram's limits are concerned.
    monitor.child.kill('SIGUSR1');
    // Telegram takes one message a second in a chat.
    await sleep(1100);
    const from = performance.now();
    process.kill(pid, 'SIGKILL');
    // On a busy machine there are messages about other things, too.
    await telegram.waitUntil(
      () => telegram.sent.some(({ plain }) => plain.includes(`bench-${FEW + i}`)),
      30_000,
    );
    took.push(performance.now() - from);
  }
  await end(monitor.child);
  await engine.resize(FEW);
  row(
    `death to accepted message: median of ${KILLS} kills`,
    median(took),
    'ms',
    300,
    `the longest ${Math.max(...took).toFixed(0)} ms`,
  );
}

/** What lies on the disk after an installation, without Node itself. */
function measureInstalled() {
  const native = [
    'libsql',
    '@neon-rs/load',
    'detect-libc',
    `@libsql/linux-${process.arch}-gnu`,
    '@resvg/resvg-js',
    `@resvg/resvg-js-linux-${process.arch}-gnu`,
  ];
  const own = [
    'package.json',
    'LICENSE',
    'MONITORING.md',
    'CHANGELOG.md',
    'monitor.conf.example',
    'bin',
    'dist',
    'systemd',
    'config',
    'docs',
  ];
  const paths = [...own, ...native.map((name) => join('node_modules', name))];
  const bytes = paths.reduce((sum, path) => sum + sizeOf(join(root, path)), 0);
  row('installed, without Node', bytes / 1_048_576, 'MB', 40);
}

function sizeOf(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.size;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}

const from = performance.now();
// Whoever loses patience leaves no engine behind.
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => void cleanUp().then(() => process.exit(1)));
try {
  const cpu = /model name\s*: (.*)/.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? process.arch;
  console.log(`Node ${process.version}, ${cpus().length} x ${cpu}, kernel ${release()}`);
  const telegram = await startTelegram();
  cleanups.push(() => telegram.close());
  const { engine, few } = await measureMemory();
  await measureUnits(engine, telegram);
  const later = memoryOf(few.child.pid).anonymous;
  row(`${FEW} containers, minutes later: anonymous memory`, later, 'MB', 14);
  await end(few.child);
  telegram.clear();
  await measureDeaths(engine, telegram);
  measureInstalled();
  if (containers > FEW) await measureMany(engine, later);
} finally {
  await cleanUp();
}
const took = Math.round((performance.now() - from) / 1000);
console.log(`${missed === 0 ? 'All budgets kept' : `${missed} budgets missed`}, in ${took} s.`);
process.exitCode = missed === 0 ? 0 : 1;

async function cleanUp() {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  rmSync(work, { recursive: true, force: true });
}
