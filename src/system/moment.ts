import type { Moment } from '../model/action.ts';
import type { Files } from './types.ts';

/** A moment that a clock that is set does not move. */
export function momentOf(files: Files, at: number): Moment {
  const uptimeMs = uptimeOf(files);
  const boot = files.textOr('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
  return uptimeMs === undefined ? { at, boot: '', uptimeMs: 0 } : { at, boot, uptimeMs };
}

/** When the server was started, epoch ms by the clock as it is now; undefined where that cannot be read. */
export function bootedAt(files: Files, now: number): number | undefined {
  const uptimeMs = uptimeOf(files);
  return uptimeMs ? now - uptimeMs : undefined;
}

/** /proc/uptime counts from boot: `12345.67 24000.00`. In ms; undefined where it cannot be read. */
function uptimeOf(files: Files): number | undefined {
  const seconds = Number.parseFloat(files.textOr('/proc/uptime') ?? '');
  return Number.isFinite(seconds) ? Math.round(seconds * 1000) : undefined;
}
