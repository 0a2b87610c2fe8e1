import { homedir } from 'node:os';
import { resolve } from 'node:path';

/**
 * Where history, incidents and logs are kept, absolute: --state-dir, VPSMON_STATE_DIR, what systemd made for the unit
 * (STATE_DIRECTORY), /var/lib/vpsmon for root, else the state folder of the user (XDG base directory specification).
 */
export function stateDirOf(options: {
  stateDir?: string;
  env: NodeJS.ProcessEnv;
  cwd: string;
  uid: number;
}): string {
  const { env, cwd, uid } = options;
  const chosen = options.stateDir || env['VPSMON_STATE_DIR'] || env['STATE_DIRECTORY']?.split(':')[0];
  if (chosen) return resolve(cwd, chosen);
  if (uid === 0) return '/var/lib/vpsmon';
  // The specification wants relative paths in XDG_STATE_HOME to be ignored.
  if (env['XDG_STATE_HOME']?.startsWith('/')) return resolve(env['XDG_STATE_HOME'], 'vpsmon');
  return resolve(env['HOME'] || home(), '.local/state/vpsmon');
}

function home(): string {
  try {
    return homedir();
  } catch {
    return '/tmp'; // A user id without an entry in passwd, as containers have it.
  }
}

/** The name of the running monitor's socket in the state folder: /health and /metrics for the other commands. */
export const MONITOR_SOCKET = 'monitor.sock';
