// What recovery gets of the flight recorder: written by the monitor, cut at the start of the server and of the run.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openRecovery, type RecoverySetup } from '../../src/commands/open-recovery.ts';
import { createRing } from '../../src/recorder/ring.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { hostFiles } from '../../src/system/files.ts';
import { commandContext, configWith } from '../helpers/command.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const MB = 1_048_576;
let stateDir: string;
let store: Store;
/** When this process began, as recovery sees it. */
let began: number;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'vpsmon-open-recovery-'));
  store = openStore(stateDir, Date.now());
  // A run is a process of its own; this one has other tests behind it.
  const before = process.uptime();
  const uptime = process.uptime.bind(process);
  vi.spyOn(process, 'uptime').mockImplementation(() => uptime() - before);
  began = Date.now();
});
afterEach(() => {
  vi.restoreAllMocks();
  store.close();
  rmSync(stateDir, { recursive: true, force: true });
});

/** The monitor's last samples, every 5 s up to `until`; where recovery was at work they have 64 MB less. */
function written(until: number, { low = (_at: number): boolean => false } = {}): void {
  const ring = createRing();
  for (let at = until - 9 * MINUTE; at <= until; at += 5 * SECOND)
    ring.add({ at, availableBytes: (low(at) ? 36 : 100) * MB, swapUsedBytes: 0, containers: [] });
  const about = { bootId: 'b00t', memoryTotalBytes: 1024 * MB, swapTotalBytes: 0 };
  writeFileSync(join(stateDir, 'recorder.bin'), ring.encode(about));
}

/** A run of recovery; `now`: later than this process began by so much. */
async function run<T>(
  work: (setup: RecoverySetup) => T,
  { later = 0, uptimeSec = 86_400, dryRun = false } = {},
): Promise<T> {
  const config = configWith({ DOCKER_HOST: 'unix:///nonexistent/docker.sock' }, { stateDir });
  const files = hostFiles('/');
  const textOr = (path: string) =>
    path === '/proc/uptime' ? `${uptimeSec.toFixed(2)} 9.00` : files.textOr(path);
  const clock = { now: () => Date.now() + later, monotonic: () => 0, sleep: async () => undefined };
  const system = { clock, files: { ...files, textOr } };
  const setup = openRecovery(commandContext(config, { dryRun }, { system }).context, store);
  try {
    return work(setup);
  } finally {
    await setup.close();
  }
}

describe('the minutes before a run', () => {
  it('are those before its process began, however long it is at work', async () => {
    written(began + 20 * SECOND);
    await run(({ deps }) => {
      expect(deps.before().at(-1)!.at).toBeLessThanOrEqual(began + SECOND);
      expect(deps.before().length).toBeGreaterThan(90);
      // They are read once: what the monitor writes meanwhile has what this run takes.
      written(began + MINUTE, { low: () => true });
      expect(deps.before().every(({ availableBytes }) => availableBytes === 100 * MB)).toBe(true);
    });
  });

  it('are none where no monitor wrote anything down shortly before', async () => {
    await run(({ deps }) => expect(deps.before()).toEqual([]));
    written(began - 3 * MINUTE);
    await run(({ deps }) => {
      expect(deps.before()).toEqual([]);
      expect(deps.recent().length).toBeGreaterThan(0);
    });
  });

  it('have nothing from before the start of the server', async () => {
    written(began);
    const ran = (Date.now() - began) / 1000;
    await run(
      ({ deps }) => {
        for (const samples of [deps.recent(), deps.before()]) {
          expect(samples.length).toBeGreaterThan(20);
          expect(samples[0]!.at).toBeGreaterThan(began - 2 * MINUTE - 6 * SECOND);
        }
      },
      { uptimeSec: 120 + ran },
    );
  });

  it('do not have what the run before took itself', async () => {
    // Long enough for a sample.
    while (Date.now() - began < 5500) await new Promise((resolve) => setTimeout(resolve, 100));
    await run(() => undefined);
    const ended = Date.now();
    const low = (at: number) => at > began && at <= ended;
    written(began + 4 * MINUTE, { low });
    // One that was only tried out is not remembered; it takes the same, and nobody knows when it will be.
    await run(() => undefined, { later: MINUTE, dryRun: true });
    await run(
      ({ deps }) => {
        const before = deps.before();
        expect(before.filter(({ at }) => low(at)).length).toBeGreaterThan(0);
        expect(before.every(({ availableBytes }) => availableBytes === 100 * MB)).toBe(true);
      },
      { later: 4 * MINUTE },
    );
  });
});
