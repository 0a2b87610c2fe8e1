import type { FlightSample } from '../model/recording.ts';
import { errorText } from '../model/text.ts';
import { memoryNow, shortageOf, shrinkPerMinute } from '../recovery/shortage.ts';
import { withoutRuns } from '../recovery/ran.ts';
import { scoreOf } from '../collectors/pressure.ts';
import type { Monitor } from './types.ts';

/** A run takes the memory of a monitor and half a minute or more; what it could not help it will not help ten seconds later. */
const AGAIN_MS = 120_000;
/** One that its timer had started may have looked before there was anything to see, and let go. */
const AFTER_RUNNING_MS = 15_000;
const UNIT = 'vps-auto-recovery';

/**
 * Recovery comes every five minutes; a container that leaks 2 MB/s fills the last tenth of a swap of 1 GB within one. So the monitor starts it
 * ahead of its timer when a sample of the flight recorder shows that memory is short. Returns the function that looks at each sample.
 */
export function createRecoveryStart(
  {
    config,
    system: { clock, log },
    state,
    recorder,
    store,
  }: Pick<Monitor, 'config' | 'system' | 'state' | 'recorder' | 'store'>,
  start = async (unit: string) => (await import('../system/own-command.ts')).startAheadOfTimer(unit),
): (sample: FlightSample | undefined) => void {
  let notBefore = 0;

  /** What it will judge by is on the disk before it starts. */
  async function startNow(why: string): Promise<void> {
    await recorder.flush();
    const taken = await start(UNIT);
    if (taken === 'running') notBefore = clock.monotonic() + AFTER_RUNNING_MS;
    if (taken === 'started') log.info(`Recovery is started now, ahead of its timer: ${why}`);
  }

  return (sample) => {
    const host = state.snapshot?.readings.host;
    if (!config.settings.ENABLE_AUTO_RECOVERY || host?.state !== 'ok') return;
    if (sample?.availableBytes === undefined || sample.swapUsedBytes === undefined) return;
    if (clock.monotonic() < notBefore) return;
    const { availableBytes, swapUsedBytes, swapInKBps, swapOutKBps, memorySome, memoryFull = 0 } = sample;
    const { memory, swap } = host.value;
    const read = {
      memory: { totalBytes: memory.totalBytes, availableBytes },
      swap: { totalBytes: swap.totalBytes, usedBytes: swapUsedBytes },
      swapInKBps,
      swapOutKBps,
    };
    const score =
      memorySome === undefined
        ? undefined
        : scoreOf({ some: { avg10: memorySome }, full: { avg10: memoryFull } });
    const shrinksBy = () => shrinkPerMinute(withoutRuns(store.db, recorder.recent()));
    const shortage = shortageOf(memoryNow(read, score, shrinksBy), config.settings);
    if (!shortage || shortage.harmless !== undefined) return;
    notBefore = clock.monotonic() + AGAIN_MS;
    startNow(shortage.why).catch((error: unknown) =>
      log.warn(`Recovery could not be started ahead of its timer: ${errorText(error)}`),
    );
  };
}
