import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

export type OwnProcess = {
  pid: number;
  output(): string;
  /** Resolves when `text` was printed; rejects with the output when the program ends before, or after 100 s. */
  said(text: string): Promise<void>;
  signal(name: NodeJS.Signals): void;
  /** Signals and waits for the end; SIGKILL after a minute. */
  end(name?: NodeJS.Signals): Promise<void>;
  running(): boolean;
};

/** Starts a server that dies with this test process, as `user` where this is root. */
export function startOwn(
  file: string,
  args: string[],
  user?: string,
  env: Record<string, string> = {},
): OwnProcess {
  const drop =
    user && process.getuid?.() === 0 ? [`--reuid=${user}`, `--regid=${user}`, '--clear-groups'] : [];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...drop, '--', file, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: '/',
    env: { PATH: process.env.PATH, LC_ALL: 'C', ...env },
  });
  return handle(child, file);
}

function handle(child: ChildProcess, file: string): OwnProcess {
  let output = '';
  const listeners = new Set<() => void>();
  let ended = false;
  const wake = () => listeners.forEach((listener) => listener());
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-100_000);
      wake();
    });
  }
  const exit = new Promise<void>((resolve) => {
    child.once('close', () => {
      ended = true;
      wake();
      resolve();
    });
    child.once('error', (error) => {
      ended = true;
      output += String(error);
      wake();
      resolve();
    });
  });
  const signal = (name: NodeJS.Signals) => {
    if (!ended) child.kill(name);
  };
  return {
    pid: child.pid ?? 0,
    output: () => output,
    running: () => !ended,
    signal,
    said: (text) =>
      new Promise((resolve, reject) => {
        const done = (act: () => void) => {
          clearTimeout(timer);
          listeners.delete(check);
          act();
        };
        const timer = setTimeout(
          () => done(() => reject(new Error(`${file} did not say "${text}":\n${output}`))),
          400_000,
        );
        const check = () => {
          if (output.includes(text)) done(resolve);
          else if (ended) done(() => reject(new Error(`${file} ended:\n${output}`)));
        };
        listeners.add(check);
        check();
      }),
    async end(name = 'SIGTERM') {
      signal(name);
      const timer = setTimeout(() => signal('SIGKILL'), 60_000);
      await exit;
      clearTimeout(timer);
    },
  };
}

/** Runs to the end, as `user` where this is root; throws with its output when it fails. */
export function runAs(file: string, args: string[], user?: string): string {
  const drop =
    user && process.getuid?.() === 0 ? [`--reuid=${user}`, `--regid=${user}`, '--clear-groups'] : [];
  const result = spawnSync('setpriv', [...drop, '--', file, ...args], {
    encoding: 'utf8',
    cwd: '/',
    env: { PATH: process.env.PATH, LC_ALL: 'C' },
  });
  if (result.status !== 0)
    throw new Error(`${file} failed:\n${result.stdout}${result.stderr}${result.error ?? ''}`);
  return result.stdout;
}
