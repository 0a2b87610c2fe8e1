import { OWN_CGROUP, guestOf, ownLimit, type Guest } from '../system/guest.ts';
import type { Files } from '../system/types.ts';
import { osName } from '../system/describe-machine.ts';
import { ok, warning, type Line, failed } from './types.ts';
import { formatDuration, formatTime } from '../model/text.ts';

/**
 * What kind of machine this is and what cannot be seen on it; `description`: system, kernel and processors, where that could be
 * found out. A machine is no fault: it is a warning only where its numbers are those of another one.
 */
export function judgeMachine(files: Files, description: string | undefined, root = true): Line[] {
  const guest = guestOf(files);
  const about = guest ? aboutGuest(files, guest) : aboutOwnKernel(files);
  const text = [description || osName(files), ...about, hidden(files, root)].filter(Boolean).join('; ');
  if (guest && !guest.ownMeminfo && ownLimit(files) === undefined)
    return [
      warning(
        'machine',
        `${text}; memory, swap and load are those of the whole physical machine`,
        'without a limit of its own that is what the guest can use; else ask its host for a limit on memory and for lxcfs',
      ),
    ];
  return text === '' ? [] : [ok('machine', text)];
}

/** /proc mounted with hidepid shows a user only their own processes. */
function hidden(files: Files, root: boolean): string {
  const mounts = files.textOr('/proc/self/mountinfo') ?? files.textOr('/proc/1/mountinfo') ?? '';
  const hides = / \/proc \S+.* - proc .*\bhidepid=(?:1|2|4|noaccess|invisible|ptraceable)\b/m.test(mounts);
  return hides && !root
    ? 'not seen here: the processes of other users (/proc is mounted with hidepid); as root they are'
    : '';
}

function aboutGuest(files: Files, { kind }: Guest): string[] {
  const unseen = [
    'who was killed for want of memory (kills are only counted)',
    ...(/^pswpin /m.test(files.textOr(`${OWN_CGROUP}/memory.stat`) ?? '') ? [] : ['how fast it swaps']),
    ...(files.exists(`${OWN_CGROUP}/memory.pressure`) ? [] : ['memory pressure']),
  ];
  return [
    `a guest (${kind}) that shares the kernel of a physical machine`,
    `not seen here: ${unseen.join(', ')}`,
  ];
}

function aboutOwnKernel(files: Files): string[] {
  const release = files.textOr('/proc/sys/kernel/osrelease') ?? '';
  const model = files.textOr('/proc/device-tree/model')?.replaceAll('\0', '').trim();
  const about: string[] = [];
  if (/microsoft/i.test(release)) {
    const second = /WSL2|microsoft-standard/i.test(release);
    about.push(
      `Windows' Linux (WSL ${second ? 2 : 1}): memory is what Windows gives it, and it ends when nobody uses it`,
    );
    if (!second) about.push('not seen here: containers, pressure, kills');
  }
  if (model) about.push(model);
  if (files.exists('/proc/spl/kstat/zfs/arcstats'))
    about.push('ZFS: its cache counts as available memory, the datasets of a pool as one disk');
  if (files.root === '/' && (files.exists('/.dockerenv') || files.exists('/run/.containerenv')))
    about.push('in a container: disks, units and the kernel log of the host are seen with HOST_ROOT only');
  return about;
}

const SYNC =
  'timedatectl set-ntp true (package systemd-timesyncd or chrony); timedatectl shows whether it works';

type ClockFacts = {
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
