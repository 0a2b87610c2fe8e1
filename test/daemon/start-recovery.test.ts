// The monitor starts recovery ahead of its timer when memory is short, and only then.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRecoveryStart } from '../../src/daemon/start-recovery.ts';
import type { FlightSample } from '../../src/model/recording.ts';
import type { Monitor } from '../../src/daemon/types.ts';
import { rememberRun } from '../../src/recovery/ran.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { testConfig } from '../helpers/recovery-deps.ts';
import { snapshotOf } from '../helpers/snapshots.ts';

const MB = 1_048_576;
/** Of a server with 2,048 MB of swap. */
const SHORT: FlightSample = {
  at: 0,
  availableBytes: 105 * MB,
  swapUsedBytes: 2000 * MB,
  memorySome: 40,
  memoryFull: 35,
  containers: [],
};

let store: Store;
beforeEach(() => (store = openStore('/dev/null/nowhere', 0))); // In memory.
afterEach(() => store.close());

function recovery(settings = {}, busy = 0, recent: () => FlightSample[] = () => []) {
  let now = 1_000_000;
  const [started, logged]: [string[], string[]] = [[], []];
  const log = { info: (text: string) => logged.push(text), warn: (text: string) => logged.push(text) };
  const monitor = {
    config: testConfig({ ENABLE_AUTO_RECOVERY: true, ...settings }),
    system: { clock: { monotonic: () => now }, log },
    state: { snapshot: snapshotOf(0) },
    store,
    recorder: { recent, flush: async () => void started.push('written') },
  } as unknown as Monitor;
  const look = createRecoveryStart(monitor, async (unit) => {
    started.push(unit);
    return busy-- > 0 ? 'running' : 'started';
  });
  return { look, started, logged, pass: (seconds: number) => (now += seconds * 1000) };
}

describe('recovery ahead of its timer', () => {
  it('U1: is started within a sample when swap is nearly full and processes wait for memory', async () => {
    const { look, started, logged } = recovery();
    look({ ...SHORT, swapUsedBytes: 1500 * MB });
    look({ ...SHORT, memorySome: 5, memoryFull: 2 });
    expect(started).toEqual([]);
    look(SHORT);
    await expect.poll(() => started).toEqual(['written', 'vps-auto-recovery']);
    await expect
      .poll(() => logged)
      .toEqual([
        'Recovery is started now, ahead of its timer: 105 MB of memory and 48 MB of swap are left, and memory pressure is 70 of 100',
      ]);
  });

  it('is not started again for two minutes while that lasts', async () => {
    const { look, started, pass } = recovery();
    for (let second = 0; second < 300; second += 5) {
      look(SHORT);
      pass(5);
    }
    await expect.poll(() => started).toHaveLength(6);
  });

  it('U1: is started after a run that its timer had started, which may have seen nothing yet', async () => {
    const { look, started, logged, pass } = recovery({}, 2);
    for (let second = 0; second < 60; second += 5) {
      look(SHORT);
      await new Promise((resolve) => setImmediate(resolve));
      pass(5);
    }
    await expect.poll(() => started.filter((one) => one !== 'written')).toHaveLength(3);
    expect(logged).toHaveLength(1);
  });

  /** 12 MB a minute are lost; a run of recovery was at work so long, which took 64 MB, and is over for two minutes. */
  function leaking(runSeconds: number): FlightSample[] {
    const end = 600_000;
    const ran = { from: end - 120_000 - runSeconds * 1000, until: end - 120_000 };
    rememberRun(store.db, ran.from, ran.until);
    return Array.from({ length: 121 }, (_, i) => {
      const at = i * 5000;
      const taken = at > ran.from && at <= ran.until ? 64 : 0;
      return {
        at,
        memorySome: 0,
        memoryFull: 0,
        containers: [],
        availableBytes: (110 + (12 * (end - at)) / 60_000 - taken) * MB,
        swapUsedBytes: 2020 * MB,
      };
    });
  }

  it.each([0, 40, 70])('is started by a leak, whatever a run of %s s before took itself', async (seconds) => {
    const samples = leaking(seconds);
    const { look, started } = recovery({}, 0, () => samples);
    look(samples.at(-1));
    await expect.poll(() => started, { timeout: 5000 }).toEqual(['written', 'vps-auto-recovery']);
  });

  it('is not started where it is switched off, nor by a sample that could not be read', () => {
    const off = recovery({ ENABLE_AUTO_RECOVERY: false });
    off.look(SHORT);
    const blind = recovery();
    blind.look(undefined);
    blind.look({ at: 0, containers: [] });
    expect([...off.started, ...blind.started]).toEqual([]);
  });
});
