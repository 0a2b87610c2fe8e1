import type { Moment } from '../model/action.ts';
import type { Files } from './types.ts';

/** /proc/uptime counts from boot, and no clock that is set changes it: `12345.67 24000.00`. */
export function momentOf(files: Files, at: number): Moment {
  const boot = files.textOr('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
  const seconds = Number.parseFloat(files.textOr('/proc/uptime') ?? '');
  return Number.isFinite(seconds)
    ? { at, boot, uptimeMs: Math.round(seconds * 1000) }
    : { at, boot: '', uptimeMs: 0 };
}

/** When the server was started, epoch ms by the clock as it is now; undefined where that cannot be read. */
export function bootedAt(files: Files, now: number): number | undefined {
  const { uptimeMs } = momentOf(files, now);
  return uptimeMs > 0 ? now - uptimeMs : undefined;
}
