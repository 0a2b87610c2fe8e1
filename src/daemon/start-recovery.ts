import type { FlightSample } from '../model/recording.ts';
import { errorText } from '../model/text.ts';
import { shortageOf } from '../recovery/shortage.ts';
import { scoreOf } from '../collectors/pressure.ts';
import type { Monitor } from './types.ts';

/** A run takes the memory of a monitor and half a minute or more; what it could not help it will not help ten seconds later. */
const AGAIN_MS = 120_000;
const UNIT = 'vps-auto-recovery';

/**
 * Recovery comes every five minutes; a container that leaks 2 MB/s fills the last tenth of a swap of 1 GB within one. So the monitor starts it
 * ahead of its timer when a sample of the flight recorder shows that memory is short. Returns the function that looks at each sample.
 */
export function createRecoveryStart(
  { config, system: { clock, log }, state }: Pick<Monitor, 'config' | 'system' | 'state'>,
  start = async (unit: string) => (await import('../system/own-command.ts')).startAheadOfTimer(unit),
): (sample: FlightSample | undefined) => void {
  let notBefore = 0;
  return (sample) => {
    const host = state.snapshot?.readings.host;
    if (!config.settings.ENABLE_AUTO_RECOVERY || host?.state !== 'ok') return;
    if (sample?.availableBytes === undefined || sample.swapUsedBytes === undefined) return;
    if (clock.monotonic() < notBefore) return;
    const { memorySome, memoryFull } = sample;
    const shortage = shortageOf(
      {
        totalBytes: host.value.memory.totalBytes,
        availableBytes: sample.availableBytes,
        swapTotalBytes: host.value.swap.totalBytes,
        swapUsedBytes: sample.swapUsedBytes,
        swapInKBps: sample.swapInKBps,
        swapOutKBps: sample.swapOutKBps,
        score:
          memorySome === undefined
            ? undefined
            : scoreOf({ some: { avg10: memorySome }, full: { avg10: memoryFull ?? 0 } }),
      },
      config.settings,
    );
    if (!shortage || shortage.harmless !== undefined) return;
    notBefore = clock.monotonic() + AGAIN_MS;
    start(UNIT).then(
      (started) => started && log.info(`Recovery is started now, ahead of its timer: ${shortage.why}`),
      (error: unknown) => log.warn(`Recovery could not be started ahead of its timer: ${errorText(error)}`),
    );
  };
}
