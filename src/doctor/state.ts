import { formatDuration } from '../model/text.ts';
import { failed, ok, warning, type Line } from './types.ts';

/** What trying to write gave: undefined when it worked. */
export function judgeStateFolder(
  path: string,
  error: NodeJS.ErrnoException | undefined,
  present: boolean,
): Line {
  const name = 'state';
  const lost = 'history and alerts are kept in memory only, and lost at a restart';
  if (!present)
    return warning(
      name,
      `${path} does not exist yet`,
      'it is made by `sudo vpsmon install`, or when the monitor starts',
    );
  if (!error) return ok(name, `${path} can be written`);
  if (error.code === 'EACCES' || error.code === 'EPERM')
    return failed(
      name,
      `${path} may not be written by this user: ${lost}`,
      'run as root (sudo), or choose another folder with --state-dir',
    );
  if (error.code === 'EROFS')
    return failed(
      name,
      `${path} is on a file system that is mounted read-only: ${lost}`,
      'dmesg | tail -30 says why; after a disk error: check it, then mount -o remount,rw',
    );
  if (error.code === 'ENOSPC' || error.code === 'EDQUOT')
    return failed(
      name,
      `${path} is on a disk that is full: ${lost}`,
      'make room: df -h; df -i; du -xh / | sort -h | tail -30',
    );
  return failed(
    name,
    `${path} cannot be written (${error.code ?? error.message}): ${lost}`,
    'df -h; df -i; dmesg | tail -30',
  );
}

export function judgeDatabase(problems: string[], path: string): Line {
  const name = 'database';
  if (problems.length === 0) return ok(name, `${path} is sound`);
  return failed(
    name,
    `${path} is damaged: ${problems[0] ?? ''}`,
    'systemctl restart vps-monitor: it is set aside and a new one begun; a disk that damages files should be looked at (dmesg)',
  );
}

/** `later`: the version that used the state folder last, where it is later than this one. */
export function judgeWriter(later: string | undefined, stateDir: string): Line[] {
  if (later === undefined) return [];
  return [
    warning(
      'version',
      `${stateDir} was used by vpsmon ${later}, which is later than this one`,
      `install ${later} again, or go on with this one: what it does not know in there is left alone`,
    ),
  ];
}

/** The textfile for node_exporter: only looked at where the exporter's timer runs. */
export function judgeTextfile(path: string, modifiedAt: number | undefined, now: number): Line {
  const name = 'metrics';
  if (modifiedAt === undefined)
    return warning(
      name,
      `${path} is not written yet`,
      'systemctl start vps-metrics-exporter.service; journalctl -u vps-metrics-exporter.service -n 20',
    );
  const age = now - modifiedAt;
  if (age > 300_000)
    return warning(
      name,
      `${path} was written ${formatDuration(age)} ago`,
      'systemctl status vps-metrics-exporter.timer; journalctl -u vps-metrics-exporter.service -n 20',
    );
  return ok(name, `${path}, written ${formatDuration(Math.max(0, age))} ago`);
}
