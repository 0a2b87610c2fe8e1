// `vpsmon recover` as a process of its own, on a state folder of its own.
import * as v from 'valibot';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recall, remember } from '../../src/store/memory.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { BIN, removeFolder } from './daemon.ts';

const Since = v.record(
  v.string(),
  v.object({ status: v.string(), since: v.number(), away: v.optional(v.number()) }),
);

export type Recovered = {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  json: {
    dry_run: boolean;
    enabled: boolean;
    results: { rule: string; found: string; failed: boolean; attempts: { done: string; text: string }[] }[];
    said: {
      severity: string;
      rule: string;
      target: string;
      text: string;
      details: string[];
      logs: string[];
    }[];
    actions: {
      id: number;
      action: string;
      target: string;
      state: string;
      result: string | null;
      why: string;
    }[];
  };
};

export type RecoverFolder = {
  dir: string;
  stateDir: string;
  conf: string;
  /** Runs to its end, or to its kill. With --json. */
  run(args: string[], settings?: Record<string, string | number>): Promise<Recovered>;
  /** The process that is running now. */
  readonly child: ChildProcess | undefined;
  /** Looks into the store, or changes what is remembered. */
  inStore<T>(work: (store: Store) => T): T;
  /** As if the remembered time of a WhatsApp session were so long ago. */
  backdateWaha(ms: number): void;
  remove(): void;
};

export function recoverFolder(base: Record<string, string | number>, yaml?: string): RecoverFolder {
  const dir = mkdtempSync(join(tmpdir(), 'vpsmon-recover-'));
  const stateDir = join(dir, 'state');
  const conf = join(dir, 'monitor.conf');
  if (yaml !== undefined) writeFileSync(join(dir, 'vpsmon.yaml'), yaml);
  let child: ChildProcess | undefined;
  const folder: RecoverFolder = {
    dir,
    stateDir,
    conf,
    get child() {
      return child;
    },
    run(args, settings = {}) {
      const all = { ENABLE_AUTO_RECOVERY: 'true', HTTP_LISTEN: '', ...base, ...settings };
      const lines = Object.entries(all).map(([key, value]) => `${key}="${value}"\n`);
      writeFileSync(conf, lines.join(''), { mode: 0o600 });
      const command = [BIN, 'recover', ...args, '--json', '--config', conf, '--state-dir', stateDir];
      return new Promise((resolve, reject) => {
        child = spawn(process.execPath, command, {
          env: { PATH: process.env['PATH'] ?? '', HOME: dir },
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        let [stdout, stderr] = ['', ''];
        child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
        child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
        child.once('error', reject);
        child.once('close', (code, signal) => {
          if (/^ {4}at /m.test(stderr)) {
            reject(new Error(stderr));
            return;
          }
          // One that was killed may have written a part of it.
          const whole = signal === null && stdout.startsWith('{');
          const json = (whole ? JSON.parse(stdout) : {}) as Recovered['json'];
          resolve({ code, signal, stdout, stderr, json });
        });
      });
    },
    inStore(work) {
      const store = openStore(stateDir, Date.now());
      try {
        return work(store);
      } finally {
        store.close();
      }
    },
    backdateWaha(ms) {
      folder.inStore(({ db }) => {
        const since = recall(db, 'waha.since', Since) ?? {};
        for (const place of Object.values(since)) {
          place.since -= ms;
          if (place.away !== undefined) place.away -= ms;
        }
        remember(db, 'waha.since', since, Date.now());
      });
    },
    remove: () => removeFolder(dir),
  };
  return folder;
}
