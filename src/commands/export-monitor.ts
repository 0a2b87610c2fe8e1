import { join } from 'node:path';
import { MONITOR_SOCKET, stateDirOf } from '../config/state-dir.ts';
import { ensureFolder, isThere } from '../system/folders.ts';
import { exchange } from '../system/http/exchange.ts';
import { writeAtomically } from '../system/write-file.ts';
import type { GlobalOptions } from './context.ts';
import { terminalIo, writesToJournal } from './io.ts';

/** The monitor answers from memory: longer than this, and it does not answer. */
const ANSWER_MS = 2000;
const MAX_BYTES = 16 * 1_048_576;

export type MetricsText = { text: string; from: string };

/**
 * What the running monitor answers on its socket in the state folder, while its last check is fresh: at most three checks and ten
 * seconds old. Its port is not asked: any local user can listen there before the monitor does, and would have root write into the
 * textfile what he likes.
 */
export async function askMonitor(stateDir: string, now: number): Promise<MetricsText | undefined> {
  try {
    const socketPath = join(stateDir, MONITOR_SOCKET);
    const { status, body } = await exchange({
      options: { socketPath, path: '/metrics', headers: { Host: 'localhost' }, agent: false },
      timeoutMs: ANSWER_MS,
      maxBytes: MAX_BYTES,
      peer: socketPath,
    });
    const text = body.toString('utf8');
    const age = now / 1000 - sample(text, 'vpsmon_last_check_timestamp_seconds');
    const fresh = Math.abs(age) <= 3 * sample(text, 'vpsmon_check_interval_seconds') + 10;
    if (status !== 200 || !fresh) return undefined;
    return { text, from: `from the running monitor, ${Math.max(0, Math.round(age))} s old` };
  } catch {
    return undefined; // Nobody there: the next way is tried.
  }
}

/** The value of a metric without labels; NaN without it. */
function sample(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

/**
 * `export all` while the monitor runs, without configuration, database or option parser: it starts 60 times an hour. Returns the exit
 * code, or undefined where it cannot be done this way, and nothing is written then.
 */
export async function exportFromMonitor(options: GlobalOptions): Promise<number | undefined> {
  if (options.config !== undefined && !isThere(options.config)) return undefined;
  const { env } = process;
  const cwd = process.cwd();
  const stateDir = stateDirOf({ ...options, env, cwd, uid: process.getuid?.() ?? 0 });
  const answer = await askMonitor(stateDir, Date.now());
  if (!answer) return undefined;
  try {
    const wrote = writeMetrics(stateDir, answer);
    const io = terminalIo();
    // Once a minute: the file itself says that all is well.
    if (!writesToJournal({ env, io })) io.out(wrote);
    return 0;
  } catch {
    return undefined; // The full command says what is wrong.
  }
}

export function metricsFile(stateDir: string): string {
  return join(stateDir, 'metrics', 'vpsmon.prom');
}

/** Writes the textfile and returns what was written, for a person. Throws with Node's `code`. */
export function writeMetrics(stateDir: string, metrics: MetricsText): string {
  // node_exporter runs as another user: it must get to the file, and to nothing else here.
  ensureFolder(stateDir, 0o711);
  ensureFolder(join(stateDir, 'metrics'), 0o755);
  writeAtomically(metricsFile(stateDir), metrics.text, 0o644);
  return `Wrote ${describeMetrics(stateDir, metrics)}`;
}

export function describeMetrics(stateDir: string, { text, from }: MetricsText): string {
  const samples = text.match(/^[^#\n]/gm)?.length ?? 0;
  return `${metricsFile(stateDir)}: ${samples} samples ${from}`;
}
