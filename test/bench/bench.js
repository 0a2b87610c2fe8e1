// How light it is, measured side by side in one run: `npm run bench`. Needs root (a Docker engine of its own) and Debian's
// docker.io, busybox-static, postgresql and redis-server. Prints a table; ends with 1 when a budget is missed.
//   --minutes N   how long each daemon is watched (default 2)
//   --containers N  how many containers the full case has (default 20); with more, 20 of them are measured first
import { mkdtempSync, readdirSync, rmSync, writeFileSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startTelegram } from '../standins/telegram.js';
import { startBenchEngine } from './engine.js';
import { startBenchDatabases } from './databases.js';
import { lightStart } from './light.js';
import { cpuOf, interleave, median, memoryOf, preciseCpuOf, start } from './measure.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = join(root, 'bin/vpsmon.js');
const argument = (name, fallback) => {
  const i = process.argv.indexOf(`--${name}`);
  return i < 0 ? fallback : Number(process.argv[i + 1]);
};
const minutes = argument('minutes', 2);
const containers = argument('containers', 20);
const { flags: LIGHT, env: lightEnv } = lightStart();
const env = { PATH: process.env.PATH, HOME: process.env.HOME, NO_COLOR: '1' };
const rows = [];
let missed = 0;
/** A check so often, and what comes between two of them is measured by itself. */
const EVERY_SEC = 10;
/** The case that the budgets are for. */
const FEW = 20;

function row(what, value, budget, unit, note = '') {
  const over = budget !== undefined && value > budget;
  if (over) missed += 1;
  rows.push([
    what,
    `${value.toFixed(unit === 'x' ? 2 : 1)} ${unit}`,
    budget === undefined ? '' : `<= ${budget} ${unit}`,
    over ? 'MISSED' : '',
    note,
  ]);
}

const work = mkdtempSync(join(tmpdir(), 'vpsmon-bench-'));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function get(port, path) {
  return new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', path, timeout: 5000 }, (response) => {
      let body = '';
      response.on('data', (chunk) => (body += chunk));
      response.on('end', () => resolve(body));
    })
      .on('error', reject)
      .end();
  });
}

const threadsOf = (pid) => readdirSync(`/proc/${pid}/task`);

/** Starts a daemon on a state folder of its own and watches it. */
async function watchDaemon(name, port, settings, engine) {
  const state = join(work, name);
  const conf = join(work, `${name}.conf`);
  writeFileSync(
    conf,
    Object.entries({
      SERVICE_CHECK_INTERVAL: EVERY_SEC,
      REPORT_INTERVAL_HOURS: 0,
      HTTP_LISTEN: `127.0.0.1:${port}`,
      ...settings,
    })
      .map(([k, v]) => `${k}=${v}`)
      .join('\n') + '\n',
    { mode: 0o600 },
  );
  const child = start(
    process.execPath,
    [...LIGHT, bin, 'monitor', '--config', conf, '--state-dir', state],
    lightEnv,
  );
  let log = '';
  child.stderr.on('data', (chunk) => (log += chunk));
  try {
    await sleep(15_000); // Warm: first checks done, code compiled.
    if (child.exitCode !== null) throw new Error(`the daemon ended: ${log}`);
    const checksBefore = JSON.parse(await get(port, '/health')).checks;
    const threads = threadsOf(child.pid);
    const before = {
      cpu: preciseCpuOf(child.pid, threads),
      ...cpuOf(child.pid),
      docker: engine ? preciseCpuOf(engine.pid, threadsOf(engine.pid)) : 0,
    };
    await sleep(minutes * 60_000);
    const health = JSON.parse(await get(port, '/health'));
    const checks = health.checks - checksBefore;
    const dockerThreads = engine ? threadsOf(engine.pid) : [];
    const after = {
      cpu: preciseCpuOf(child.pid, threadsOf(child.pid)),
      ...cpuOf(child.pid),
      docker: engine ? preciseCpuOf(engine.pid, dockerThreads) : 0,
    };
    const between = await cpuBetweenChecks(child.pid, port);
    return {
      memory: memoryOf(child.pid),
      checks,
      health,
      cpuBetween: between * EVERY_SEC,
      cpuPerCheck: (after.cpu - before.cpu) / checks - between * EVERY_SEC,
      dockerPerCheck: (after.docker - before.docker) / checks,
      children: after.childFaults - before.childFaults,
    };
  } finally {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }
}

/** CPU in ms a second while no check runs: the looks for OOM kills, and waking up for them. Median of five gaps. */
async function cpuBetweenChecks(pid, port) {
  const seen = [];
  while (seen.length < 5) {
    const { checks } = JSON.parse(await get(port, '/health'));
    while (JSON.parse(await get(port, '/health')).checks === checks) await sleep(200);
    await sleep(1000);
    const before = preciseCpuOf(pid, threadsOf(pid));
    await sleep(7500);
    seen.push((preciseCpuOf(pid, threadsOf(pid)) - before) / 7.5);
  }
  return median(seen);
}

/** What the engine spends in the same time with nobody asking. */
async function idleDocker(engine, seconds) {
  const before = preciseCpuOf(engine.pid, threadsOf(engine.pid));
  await sleep(seconds * 1000);
  return ((preciseCpuOf(engine.pid, threadsOf(engine.pid)) - before) / seconds) * 10;
}

function rowBetween(name, { cpuBetween }) {
  const note = 'looks for OOM kills, Docker events, and where there is no Docker, looking for it';
  row(`${name}, CPU in the ${EVERY_SEC} s between two checks`, cpuBetween, undefined, 'ms', note);
}

async function watchWithDocker(count) {
  const idle = await idleDocker(engine, 20);
  const settings = { DOCKER_HOST: `unix://${engine.socket}` };
  const seen = await watchDaemon(`docker-${count}`, 18_232, settings, engine);
  const many = count > FEW;
  const name = `daemon, ${count} containers`;
  row(`${name}, anonymous`, seen.memory.anonymous, many ? undefined : 14, 'MB');
  row(`${name}, PSS`, seen.memory.pss, many ? undefined : 50, 'MB');
  const note = `${seen.checks} checks; ${seen.health.services_monitored} services`;
  row(`${name}, CPU per check`, seen.cpuPerCheck, many ? 40 : 5, 'ms', note);
  rowBetween(name, seen);
  row(
    `Docker with ${count} containers, CPU per check`,
    Math.max(0, seen.dockerPerCheck - idle),
    // With many, the one list in five minutes is what it costs; whether it falls into the window is chance.
    many ? undefined : 1,
    'ms',
    `${seen.dockerPerCheck.toFixed(2)} ms, less ${idle.toFixed(2)} ms that it spends on its own in 10 s`,
  );
  row('processes started while watching (page faults of children)', seen.children, 0, '');
  return seen;
}

async function emptyNode() {
  const child = start(process.execPath, [...LIGHT, '-e', 'setInterval(() => {}, 1000)'], lightEnv);
  await sleep(2000);
  const memory = memoryOf(child.pid);
  child.kill();
  return memory;
}

let engine;
let databases;
try {
  console.log(
    `Node ${process.version}, ${readFileSync('/proc/cpuinfo', 'utf8').split('\nprocessor').length} CPUs, kernel ${readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim()}`,
  );
  const empty = await emptyNode();
  row('empty node process, anonymous', empty.anonymous, undefined, 'MB');
  row('empty node process, PSS', empty.pss, undefined, 'MB');

  const none = await watchDaemon('none', 18_231, {});
  row('daemon, no Docker, anonymous', none.memory.anonymous, 14, 'MB');
  row('daemon, no Docker, PSS', none.memory.pss, 50, 'MB');
  row('daemon, no Docker, CPU per check', none.cpuPerCheck, 5, 'ms', `${none.checks} checks`);
  rowBetween('daemon, no Docker', none);

  engine = await startBenchEngine(work, Math.min(containers, FEW));
  const few = await watchWithDocker(Math.min(containers, FEW));
  if (containers > FEW) {
    await engine.growTo(containers);
    const many = await watchWithDocker(containers);
    const growth = many.memory.anonymous - few.memory.anonymous;
    row(`growth from ${FEW} to ${containers} containers, anonymous`, growth, 10, 'MB');
  }

  databases = await startBenchDatabases(work);
  const telegram = await startTelegram();
  const everything = await watchDaemon(
    'everything',
    18_234,
    {
      DOCKER_HOST: `unix://${engine.socket}`,
      ...databases.settings,
      TELEGRAM_API_ROOT: telegram.url,
      TELEGRAM_BOT_TOKEN: telegram.token,
      TELEGRAM_CHAT_ID: telegram.chatId,
    },
    engine,
  );
  await telegram.close();
  for (const source of ['postgres', 'redis']) {
    if (everything.health.reasons.join().includes(source)) throw new Error(everything.health.reasons.join());
  }
  const all = `daemon, ${containers} containers, PostgreSQL, Redis, Telegram`;
  row(`${all}, anonymous`, everything.memory.anonymous, containers > 100 ? 30 : 20, 'MB');
  row(`${all}, PSS`, everything.memory.pss, containers > 100 ? undefined : 58, 'MB');
  row(`${all}, CPU per check`, everything.cpuPerCheck, undefined, 'ms');

  const light = join(work, 'light.conf');
  writeFileSync(light, `DOCKER_HOST=unix://${engine.socket}\nHTTP_LISTEN=127.0.0.1:18233\n`, { mode: 0o600 });
  const daemon = start(
    process.execPath,
    [...LIGHT, bin, 'monitor', '--config', light, '--state-dir', join(work, 'light')],
    lightEnv,
  );
  await sleep(6000);
  const [nothing, version, help, exported] = interleave(
    [
      [process.execPath, ['-e', '0']],
      [process.execPath, [bin, '--version']],
      [process.execPath, [bin, '--help']],
      [process.execPath, [bin, 'export', '--config', light, '--state-dir', join(work, 'light')]],
    ],
    15,
    env,
  );
  daemon.kill('SIGTERM');
  row('node -e 0', nothing, undefined, 'ms');
  row('vpsmon --version against node -e 0', version / nothing, 1.6, 'x', `${version.toFixed(0)} ms`);
  row('vpsmon --help against node -e 0', help / nothing, 1.6, 'x', `${help.toFixed(0)} ms`);
  row(
    'vpsmon export, daemon running, against node -e 0',
    exported / nothing,
    3,
    'x',
    `${exported.toFixed(0)} ms`,
  );
} finally {
  await databases?.stop();
  await engine?.stop();
  rmSync(work, { recursive: true, force: true });
}

const widths = [0, 1, 2, 3].map((i) => Math.max(...rows.map((r) => r[i].length)));
for (const r of rows)
  console.log(
    [r[0].padEnd(widths[0]), r[1].padStart(widths[1]), r[2].padEnd(widths[2]), r[3].padEnd(widths[3]), r[4]]
      .join('  ')
      .trimEnd(),
  );
console.log(missed === 0 ? 'All budgets kept.' : `${missed} budgets missed.`);
process.exitCode = missed === 0 ? 0 : 1;
