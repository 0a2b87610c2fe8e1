// Reading what a process costs, from /proc and the shell: no library.
import { readdirSync, readFileSync } from 'node:fs';
import { spawn, spawnSync } from 'node:child_process';
import { request } from 'node:http';

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The flags of node that an installed unit has, and the settings of the C library. */
export function startOf(unit) {
  const text = readFileSync(new URL(`../../systemd/${unit}.service`, import.meta.url), 'utf8');
  const flags = /^ExecStart=(?:@LAUNCH@)?@NODE@ (.*?)@LIB@/m.exec(text)[1].trim();
  const malloc = /^Environment=(MALLOC_.*)$/m.exec(text)?.[1].split(' ') ?? [];
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, NO_COLOR: '1' };
  return {
    flags: flags === '' ? [] : flags.split(' '),
    env: { ...env, ...Object.fromEntries(malloc.map((pair) => pair.split('='))) },
  };
}

export function start(command, args, env) {
  const child = spawn(command, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  child.log = '';
  child.stderr.on('data', (chunk) => (child.log = (child.log + chunk).slice(-4000)));
  return child;
}

/** Ends a child in its own way and waits for it. */
export async function end(child, signal = 'SIGTERM') {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await ended;
}

/** Anonymous memory and PSS in MB. */
export function memoryOf(pid) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const megabytes = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)[1]) / 1024;
  return { anonymous: megabytes('Anonymous'), pss: megabytes('Pss') };
}

/** CPU in ms since the start, of all threads, to the nanosecond. What a thread used that has ended is not in it, which is little. */
export function cpuOf(pid) {
  let ns = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      ns += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      // It ended since it was listed.
    }
  }
  return ns / 1e6;
}

/** Page faults of children that were waited for: rises with every one that was ever started, for no program starts without. */
export function childFaultsOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[8]);
}

export function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** User and system CPU in ms of a command run to its end; throws where it ends with more than 2. */
export function cpuOfRun([command, ...args], env) {
  const shell = 'TIMEFORMAT="%3U %3S"; time "$@" >/dev/null 2>&1';
  // With a socket as its input, bash takes itself for one that rshd started, and reads ~/.bashrc.
  const { status, stderr } = spawnSync('bash', ['--norc', '-c', shell, '_', command, ...args], {
    env,
    encoding: 'utf8',
  });
  if (status === null || status > 2) throw new Error(`${command} ${args.join(' ')} ended with ${status}`);
  const [user, system] = stderr.trim().split(' ').map(Number);
  return (user + system) * 1000;
}

/** Runs the commands in turn, A B C A B C ..., so that a machine whose speed drifts treats all alike. Medians of CPU in ms. */
export function cpuInTurn(commands, rounds, env) {
  const seen = commands.map(() => []);
  for (let round = -1; round < rounds; round += 1)
    commands.forEach((command, i) => {
      const cpu = cpuOfRun(command, env);
      if (round >= 0) seen[i].push(cpu);
    });
  return seen.map(median);
}

/** Most resident memory in MB of a node program run to its end. */
export function peakOf([node, ...args], env) {
  const report = `process.on('exit', () => process.stderr.write('\\npeak ' + process.resourceUsage().maxRSS + '\\n'))`;
  const result = spawnSync(
    node,
    ['--import', `data:text/javascript,${encodeURIComponent(report)}`, ...args],
    {
      env,
      encoding: 'utf8',
    },
  );
  const peak = /^peak (\d+)$/m.exec(result.stderr);
  if (!peak || result.status > 2)
    throw new Error(`${args.join(' ')} ended with ${result.status}: ${result.stderr.slice(-1000)}`);
  return Number(peak[1]) / 1024;
}

/** What the monitor says of itself on its page. */
export function health(port) {
  return new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', path: '/health', timeout: 5000 }, (response) => {
      let body = '';
      response.on('data', (chunk) => (body += chunk));
      response.on('end', () => resolve(JSON.parse(body)));
    })
      .on('error', reject)
      .end();
  });
}
