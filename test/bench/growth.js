// Does the monitor grow over 10,000 checks? `npm run build && node test/bench/growth.js`, as root, a quarter of an hour: 20 real
// containers, and a clock that is a hundred times as fast (28 hours pass).
//   --checks N   how many (default 10,000)
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startBenchEngine } from './engine.js';
import { end, health, memoryOf, sleep, start, startOf } from './measure.js';

const FASTER = 100;
const PORT = 18_235;
/** Everything has been used once by then: the first hours of its time. */
const WARM = 1000;
const MAX_GROWTH_MB = 0.5;
const i = process.argv.indexOf('--checks');
const wanted = WARM + (i < 0 ? 10_000 : Number(process.argv[i + 1]));

const root = fileURLToPath(new URL('../..', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'vpsmon-growth-'));
const state = join(work, 'state');
const conf = join(work, 'monitor.conf');
let engine;
let daemon;
try {
  engine = await startBenchEngine(work, 20);
  writeFileSync(
    conf,
    `SERVICE_CHECK_INTERVAL=10\nHTTP_LISTEN=127.0.0.1:${PORT}\nDOCKER_HOST=unix://${engine.socket}\n`,
    { mode: 0o600 },
  );
  const { flags, env } = startOf('vps-monitor');
  const clock = ['--import', join(root, 'test/bench/clock.js')];
  const line = ['monitor', '--config', conf, '--state-dir', state];
  daemon = start(
    process.execPath,
    [...flags, '--expose-gc', ...clock, join(root, 'bin/vpsmon.js'), ...line],
    {
      ...env,
      FASTER: String(FASTER),
    },
  );
  const seen = [];
  for (let next = 0; next <= wanted;) {
    await sleep(500);
    if (daemon.exitCode !== null) throw new Error(`the monitor ended: ${daemon.log}`);
    const { checks, status, reasons } = await health(PORT).catch(() => ({ checks: -1 }));
    if (checks < next) continue;
    daemon.kill('SIGUSR2');
    await sleep(300);
    const live = [...daemon.log.matchAll(/^live (\d+)$/gm)].at(-1);
    const heap = Number(live?.[1]) / 1_048_576;
    const anonymous = memoryOf(daemon.pid).anonymous;
    seen.push({ checks, heap });
    const database = statSync(join(state, 'vpsmon.db')).size / 1_048_576;
    console.log(
      `${String(checks).padStart(6)} checks  ${heap.toFixed(2)} MB live  ${anonymous.toFixed(2)} MB anonymous  database ${database.toFixed(1)} MB  ${status} ${reasons?.join('; ') ?? ''}`,
    );
    next = checks < 200 ? 200 : Math.min(Math.max(wanted, checks + 1), (Math.floor(checks / 500) + 1) * 500);
  }
  const median = (from, to) => {
    const values = seen.filter(({ checks }) => checks >= from && checks <= to).map((s) => s.heap);
    return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
  };
  const [before, after] = [median(WARM, WARM + 1500), median(wanted - 1500, Infinity)];
  const grown = after - before;
  console.log(
    `growth of what is live from check ${WARM} on: ${grown.toFixed(2)} MB (${before.toFixed(2)} to ${after.toFixed(2)}), budget ${MAX_GROWTH_MB} MB`,
  );
  process.exitCode = grown <= MAX_GROWTH_MB ? 0 : 1;
} finally {
  if (daemon) await end(daemon);
  await engine?.stop();
  rmSync(work, { recursive: true, force: true });
}
