import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { BIN } from './helpers/daemon.ts';
import { startTcp } from './helpers/tcp-server.ts';

const UNITS = join(BIN, '../../systemd');

function runAs(version: string, script = BIN): { status: number | null; out: string; err: string } {
  const folder = mkdtempSync(join(tmpdir(), 'vpsmon-old-'));
  try {
    const pretend = join(folder, 'pretend.cjs');
    writeFileSync(
      pretend,
      `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } });`,
    );
    const { status, stdout, stderr } = spawnSync(process.execPath, ['-r', pretend, script, '--version'], {
      encoding: 'utf8',
    });
    return { status, out: stdout, err: stderr };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('bin/vpsmon.js', () => {
  it.each(['12.22.12', '16.20.2', '18.20.8', '20.18.3'])(
    'U13: says in one sentence that Node %s is too old',
    (version) => {
      // The build, too: `npm ci` is the first thing that is tried in a clone.
      for (const script of [BIN, join(BIN, '../../scripts/build.js')]) {
        const { status, out, err } = runAs(version, script);
        expect(err).toContain(`vpsmon: needs Node.js 20.19 or newer, found ${version}`);
        expect(err.trim().split('\n')).toHaveLength(1);
        expect({ status, out }).toEqual({ status: 3, out: '' });
      }
    },
  );
  it.each(['20.19.0', '22.1.0', '24.0.0'])('U13: runs on Node %s', (version) => {
    expect(runAs(version)).toMatchObject({ status: 0, err: '' });
  });
  it.each(['throw new Error', 'Promise.reject'])(
    'H10: an error that nobody caught is exit code 3, not the 1 of warnings (%s)',
    (how) => {
      const folder = mkdtempSync(join(tmpdir(), 'vpsmon-crash-'));
      try {
        const preload = join(folder, 'crash.cjs');
        writeFileSync(
          preload,
          `const timer = setInterval(() => {
             if (process.listenerCount('uncaughtException') === 0) return;
             clearInterval(timer);
             ${how}(new Error('out of a library, token=abcdef123456'));
           }, 1);`,
        );
        const { status, stderr } = spawnSync(process.execPath, ['-r', preload, BIN, 'monitor', '--once'], {
          encoding: 'utf8',
          env: { ...process.env, VPSMON_STATE_DIR: join(folder, 'state') },
        });
        expect(stderr).toContain('vpsmon: ');
        expect(stderr).toContain('out of a library');
        expect(stderr).not.toContain('abcdef123456');
        expect(status).toBe(3);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
  it('H10: a program that is missing or damaged is a failure, with a sentence, and no unit takes it for a success', () => {
    const folder = mkdtempSync(join(tmpdir(), 'vpsmon-missing-'));
    try {
      mkdirSync(join(folder, 'bin'));
      mkdirSync(join(folder, 'dist'));
      copyFileSync(BIN, join(folder, 'bin/vpsmon.js'));
      writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
      const run = () =>
        spawnSync(process.execPath, [join(folder, 'bin/vpsmon.js'), 'recover'], { encoding: 'utf8' });
      expect(run()).toMatchObject({ status: 3, stderr: expect.stringContaining('not built yet') as string });
      for (const damaged of ['import "./gone.js";', 'process.stdout.write("half a', 'throw new Error("x")']) {
        writeFileSync(join(folder, 'dist/cli.js'), damaged);
        expect(run().status).toBe(3);
      }
      // Node itself ends with 1 where bin/vpsmon.js is gone.
      const units = readdirSync(UNITS).map((name) => readFileSync(join(UNITS, name), 'utf8'));
      expect(units.join('\n')).not.toContain('SuccessExitStatus');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
  it('U13: is a plain script without anything newer than import()', () => {
    const text = readFileSync(BIN, 'utf8');
    // As a script: neither a static import nor a top-level await may be in it.
    expect(() => new Script(text.replace(/^#!.*/, ''), { filename: BIN })).not.toThrow();
    expect(text.replace(/\/\/.*/g, '')).not.toMatch(/\?\.|\?\?|=>|`\$|\bconst\b|\blet\b/);
  });

  it('loads nothing of the program for --version and --help', () => {
    const entry = join(BIN, '../../dist/cli.js');
    const imports = [...readFileSync(entry, 'utf8').matchAll(/\bimport\s*[^(]*?from\s*"([^"]*)"/g)];
    expect(imports.map(([, from]) => from)).toEqual(['node:fs']);
  });

  it('H8: SIGUSR1 opens no debugger', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vpsmon-usr1-'));
    const child = spawn(process.execPath, [BIN, 'monitor', '--state-dir', folder], {
      env: { PATH: process.env.PATH, HTTP_LISTEN: '', DOCKER_HOST: `unix://${folder}/none.sock` },
    });
    let said = '';
    const heard = (words: string) =>
      new Promise<void>((resolve, reject) => {
        const hear = (chunk: Buffer) => {
          said += chunk.toString();
          if (said.includes(words)) resolve();
        };
        child.stdout.on('data', hear);
        child.stderr.on('data', hear);
        child.once('exit', () => reject(new Error(`ended before it said "${words}": ${said}`)));
      });
    try {
      await heard('Watching every');
      child.kill('SIGUSR1');
      // A second one finds the debugger's port taken or open; only then is it asked to end.
      child.kill('SIGUSR1');
      const ended = once(child, 'close');
      await new Promise((resolve) => setTimeout(resolve, 300));
      child.kill('SIGTERM');
      await ended;
      expect(said).not.toMatch(/debugger/i);
      // 3: the machine was too busy for an end in the time that the monitor allows itself.
      expect(child.exitCode).toBe(said.includes('Stopping took too long') ? 3 : 0);
    } finally {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it.concurrent.each([['monitor', '--once'], ['recover'], ['doctor'], ['report', 'console', '--dry-run']])(
    'H8: SIGUSR1 and SIGHUP neither open anything nor end what ends by itself: %s',
    async (...command) => {
      const folder = mkdtempSync(join(tmpdir(), 'vpsmon-hup-'));
      // Docker takes the question and does not answer: the command waits for it while the signals come.
      const silent = await startTcp();
      const child = spawn(process.execPath, [BIN, ...command, '--state-dir', folder], {
        env: { PATH: process.env.PATH, HTTP_LISTEN: '', DOCKER_HOST: `tcp://127.0.0.1:${silent.port}` },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let printed = '';
      child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (printed += chunk.toString()));
      const ended = once(child, 'close');
      try {
        await expect.poll(() => silent.connections()).toBeGreaterThan(0);
        const began = performance.now();
        for (const signal of ['SIGUSR1', 'SIGHUP', 'SIGUSR1', 'SIGHUP'] as const) child.kill(signal);
        // What they would open or end has happened by now; then Docker is gone, and the command ends without waiting for it.
        await new Promise((resolve) => setTimeout(resolve, 500));
        // Docker has 5 seconds: where the machine was busy for as long as that, it ends because of them.
        if (performance.now() - began < 2000) expect(child.exitCode).toBeNull();
        expect(child.signalCode).toBeNull();
        await silent.close();
        const [code, signal] = (await ended) as [number | null, string | null];
        expect(printed).not.toMatch(/debugger|unexpected/i);
        expect({ signal, code: [0, 1, 2].includes(code ?? -1) }).toEqual({ signal: null, code: true });
      } finally {
        child.kill('SIGKILL');
        await silent.close();
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
});
