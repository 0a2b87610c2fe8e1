// Restart loops of real containers, ended by the real command.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { recordAction } from '../../src/store/actions.ts';
import { openStore } from '../../src/store/open.ts';
import { until } from '../helpers/daemon.ts';
import { startEngine, type Engine } from '../helpers/docker-engine.ts';
import { recoverFolder, type RecoverFolder } from '../helpers/recover-run.ts';

type Inspect = {
  RestartCount: number;
  State: { Status: string; Running: boolean };
  HostConfig: { Memory: number; MemorySwap: number };
};
const MB = 1_048_576;

let engine: Engine;
let folder: RecoverFolder;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.stop());
beforeEach(() => (folder = recoverFolder({ DOCKER_HOST: engine.dockerHost })));
afterEach(async () => {
  await engine.clear();
  folder.remove();
});

const recover = (args: string[], settings?: Record<string, string>) => folder.run(args, settings);
const inspect = async (id: string) => (await engine.api('GET', `/containers/${id}/json`)) as Inspect;

/** The engine doubles the pause between two tries from 0.1 s: six restarts take about seven seconds. */
async function loop(options: Parameters<Engine['run']>[0]): Promise<string> {
  const id = await engine.run({ restartPolicy: 'always', ...options });
  await until(async () => (await inspect(id)).RestartCount >= 6, 'six restarts');
  return id;
}

describe('a loop for its own reasons', () => {
  it('is paused, told with its last words, and brought back by undo', async () => {
    const id = await loop({
      name: 'crasher',
      command: ['sh', '-c', 'echo cannot reach the database; echo password=hunter22; exit 3'],
    });
    const dry = await recover(['loops', '--dry-run']);
    expect(dry.json.said?.[0]?.text).toMatch(/Would stop crasher for 5 min/);
    expect((await inspect(id)).State.Status).not.toBe('exited');

    const run = await recover(['loops']);
    expect(run.json.results?.[0]?.attempts).toMatchObject([{ done: 'worked' }]);
    expect((await inspect(id)).State).toMatchObject({ Status: 'exited', Running: false });
    const said = run.json.said?.at(-1);
    expect(said?.text).toMatch(/^Done: stop crasher for 5 min/);
    expect(said?.logs).toContain('cannot reach the database');
    expect(run.stdout + readFileSync(join(folder.stateDir, 'recovery.log'), 'utf8')).not.toContain(
      'hunter22',
    );

    const again = await recover(['loops']);
    expect(again.json.results?.[0]?.attempts).toEqual([]);
    const undone = await recover(['undo']);
    expect(undone.json.said?.some((line) => /crasher/.test(line.text))).toBe(true);
    expect((await inspect(id)).State.Status).not.toBe('exited');
    expect((await recover(['history'])).json.actions?.map((action) => action.action)).toEqual([
      'start-container',
      'pause-loop',
    ]);
  });

  it('is stopped for good after ten restarts, pauses included', async () => {
    const id = await loop({ name: 'hopeless', command: ['sh', '-c', 'echo the config is gone; exit 1'] });
    folder.inStore(({ db }) =>
      recordAction(db, {
        rule: 'loops',
        target: 'hopeless',
        what: 'pause-loop',
        why: 'x',
        state: 'undone',
        startedAt: Date.now() - 7_200_000,
        undo: { containerId: id, restarts: 6 },
      }),
    );
    const run = await recover(['check-loops']);
    expect(run.json.said?.at(-1)?.text).toMatch(/which restarted 1\d times and cannot be helped/);
    expect(run.json.said?.at(-1)?.logs).toContain('the config is gone');
    expect((await inspect(id)).State.Status).toBe('exited');
  });

  it('is only spoken about where the container is essential, and where recovery is switched off', async () => {
    const id = await loop({ name: 'postgres', command: ['false'] });
    const essential = await recover(['loops']);
    expect(essential.json.said?.at(-1)?.text).toMatch(
      /It is essential, so it is not stopped: a person is needed/,
    );
    const shadow = await recover(['loops'], { ENABLE_AUTO_RECOVERY: 'false', ESSENTIAL_CONTAINERS: 'none' });
    expect(shadow.json.said?.at(-1)?.text).toMatch(
      /Would stop postgres .* but ENABLE_AUTO_RECOVERY is false/,
    );
    expect((await inspect(id)).State.Status).not.toBe('exited');
  });
});

describe('a loop for lack of memory', () => {
  const greedy = { memory: 16 * MB, command: ['tail', '/dev/zero'] };

  it('gets half as much again where the host has room, and the old limit by undo', async () => {
    const id = await loop({ name: 'hungry', ...greedy });
    const run = await recover(['loops']);
    expect(run.json.said?.at(-1)?.text).toMatch(
      /^Done: raise the memory limit of hungry from 16 MB to 24 MB/,
    );
    expect((await inspect(id)).HostConfig).toMatchObject({ Memory: 24 * MB });
    await engine.api('POST', `/containers/${id}/stop?t=0`);
    await recover(['undo']);
    expect((await inspect(id)).HostConfig.Memory).toBe(16 * MB);
  });

  it('is not given what the host does not have', async () => {
    const root = join(folder.dir, 'host');
    const put = (path: string, text: string) => {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    };
    for (const path of [
      '/proc/stat',
      '/proc/loadavg',
      '/proc/uptime',
      '/proc/vmstat',
      '/proc/swaps',
      '/proc/sys/kernel/random/boot_id',
      '/proc/self/mountinfo',
    ]) {
      put(path, readFileSync(path, 'utf8'));
    }
    put(
      '/proc/meminfo',
      'MemTotal:        1000000 kB\nMemFree:           90000 kB\nMemAvailable:     120000 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n',
    );
    const id = await loop({ name: 'hungry', ...greedy });
    const run = await recover(['loops'], { HOST_ROOT: root });
    expect((await inspect(id)).HostConfig.Memory).toBe(16 * MB);
    expect(run.json.said?.at(-1)?.details.join(' ')).toMatch(
      /raising its limit of 16 MB by half would take up to 24 MB, and the server has 117 MB available/,
    );
  });
});

describe('two runs at once', () => {
  it('the second one leaves', async () => {
    const { takeLock } = await import('../../src/store/lock.ts');
    openStore(folder.stateDir, 0).close();
    const lock = takeLock(folder.stateDir, 'recover');
    const run = await recover(['loops']);
    expect(run).toMatchObject({ code: 0, stdout: '' });
    expect(run.stderr).toMatch(
      new RegExp(`another recovery run is at work \\(process ${process.pid}\\); this one leaves`),
    );
    const order = await recover(['undo']);
    expect(order).toMatchObject({ code: 3, stdout: '' });
    expect(order.stderr).toMatch(/Nothing was done: try `vpsmon recover undo` again in a minute/);
    if ('release' in lock) lock.release();
  });
});
