import { formatDuration, formatTime } from '../model/text.ts';
import { failed, ok, warning, type Line } from './types.ts';

const SYNC =
  'timedatectl set-ntp true (package systemd-timesyncd or chrony); timedatectl shows whether it works';

export type ClockFacts = {
  now: number;
  /** When this program was built: no clock can be right that is before it. */
  builtAt: number | undefined;
  /** What a server on the internet says, from its Date header, and when that was. */
  remote: { at: number; askedAt: number; name: string } | undefined;
  /** The last time stamp that the monitor itself kept. */
  lastSeenAt: number | undefined;
};

/** A wrong clock spoils TLS, the daily report and every "since when". */
export function judgeClock({ now, builtAt, remote, lastSeenAt }: ClockFacts): Line {
  const name = 'clock';
  if (builtAt !== undefined && now < builtAt - 86_400_000)
    return failed(name, `says ${formatTime(now)}, which is before this vpsmon was built`, SYNC);
  if (remote) {
    const off = remote.askedAt - remote.at;
    const by = `${formatDuration(Math.abs(off))} ${off > 0 ? 'ahead of' : 'behind'} ${remote.name}`;
    if (Math.abs(off) > 300_000) return failed(name, `is ${by}`, SYNC);
    if (Math.abs(off) > 30_000) return warning(name, `is ${by}`, SYNC);
    return ok(name, `${formatTime(now)}, as ${remote.name} says`);
  }
  if (lastSeenAt !== undefined && now < lastSeenAt - 300_000)
    return warning(
      name,
      `says ${formatTime(now)}, but the monitor was at work at ${formatTime(lastSeenAt)} already: it was set back`,
      SYNC,
    );
  return ok(name, `${formatTime(now)} (nobody could be asked whether it is right)`);
}
