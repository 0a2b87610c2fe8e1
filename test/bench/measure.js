// Reading what a process costs, from /proc; no library, no process started.
import { readFileSync } from 'node:fs';
import { spawn, spawnSync } from 'node:child_process';

const TICK_MS = 10; // USER_HZ is 100 on every Linux that Node runs on.

/** Anonymous memory, PSS and resident memory in MB. */
export function memoryOf(pid) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kb = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? NaN);
  return { anonymous: kb('Anonymous') / 1024, pss: kb('Pss') / 1024, rss: kb('Rss') / 1024 };
}

/**
 * CPU of a process in ms, and of the children it waited for; `childFaults` grows with every child that was ever reaped, since no
 * program starts without a page fault.
 */
export function cpuOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const at = (n) => Number(fields[n - 3]);
  return { own: (at(14) + at(15)) * TICK_MS, children: (at(16) + at(17)) * TICK_MS, childFaults: at(11) };
}

/** CPU in ms from schedstat: nanoseconds, where ticks of 10 ms are too coarse. Sums all threads. */
export function preciseCpuOf(pid, threads) {
  let ns = 0;
  for (const thread of threads) {
    try {
      ns += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      // A thread that ended: what it used is lost, which is little.
    }
  }
  return ns / 1e6;
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** Wall time in ms and peak resident memory in MB of a command run to its end. */
export function runOnce(command, args, env) {
  const started = process.hrtime.bigint();
  const result = spawnSync(command, args, { env, stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
  const wall = Number(process.hrtime.bigint() - started) / 1e6;
  return { wall, status: result.status, stderr: result.stderr };
}

/** Runs the commands in turn, A B C A B C ..., so that a machine whose speed drifts treats all alike. Medians in ms. */
export function interleave(commands, rounds, env) {
  const times = commands.map(() => []);
  for (let round = -1; round < rounds; round += 1) {
    commands.forEach(([command, args], i) => {
      const { wall, status, stderr } = runOnce(command, args, env);
      if (status === null || status > 2)
        throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${stderr}`);
      if (round >= 0) times[i].push(wall);
    });
  }
  return times.map(median);
}

export function start(command, args, env) {
  return spawn(command, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
}
