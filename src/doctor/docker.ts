import type { Docker } from '../system/types.ts';
import { errorText } from '../model/text.ts';
import { failed, ok, warning, type Line } from './types.ts';

const DEADLINE_MS = 6000;
/** 20.10, of 2020: the oldest that was tried. */
const OLDEST_API = [1, 41];

/** `wanted`: the administrator named one (DOCKER_HOST), or it is installed here; then its absence is a failure. */
export async function examineDocker(docker: Docker, wanted: boolean): Promise<Line[]> {
  try {
    const { version, apiVersion } = await docker.version(AbortSignal.timeout(DEADLINE_MS));
    return [judgeVersion(version, apiVersion, docker.address), ...(await examineEvents(docker))];
  } catch (error) {
    return [judgeDockerError(error, docker.address, wanted)];
  }
}

/** Whether the event stream begins: a socket proxy may refuse it, or hold it back. */
async function examineEvents(docker: Docker): Promise<Line[]> {
  const stop = new AbortController();
  try {
    await docker.events({ signal: stop.signal, onEvent() {}, onOpen: () => stop.abort() });
    return [];
  } catch (error) {
    return [
      failed(
        'docker events',
        `cannot be followed: ${errorText(error)}; what happens to containers is seen late, from the list only`,
        'let the socket proxy pass /events unbuffered (EVENTS=1), or set DOCKER_HOST to the engine itself',
      ),
    ];
  }
}

export function judgeVersion(version: string, apiVersion: string, address: string): Line {
  const [major = 0, minor = 0] = apiVersion.split('.').map(Number);
  const old = major < OLDEST_API[0]! || (major === OLDEST_API[0] && minor < OLDEST_API[1]!);
  if (apiVersion !== 'unknown' && old)
    return warning(
      'docker',
      `Docker ${version} (API ${apiVersion}) is older than what vpsmon was tried with`,
      'update Docker to 20.10 or newer',
    );
  return ok('docker', `Docker ${version}, API ${apiVersion}, ${address}`);
}

export function judgeDockerError(error: unknown, address: string, wanted: boolean): Line {
  const { code } = error as NodeJS.ErrnoException;
  const why = errorText(error);
  if (code === 'EACCES' || code === 'EPERM')
    return failed(
      'docker',
      why,
      `run vpsmon as root, or put its user into the group of the socket: usermod -aG docker NAME, then log in again`,
    );
  if (code === 'ENOENT' && !wanted)
    return warning(
      'docker',
      `${why}: containers are not watched`,
      'install Docker, or set DOCKER_HOST where it listens elsewhere; without containers this is fine',
    );
  if (code === 'ENOENT' || code === 'ECONNREFUSED')
    return failed('docker', why, 'systemctl status docker; set DOCKER_HOST where it listens elsewhere');
  if (code === 'ETIMEDOUT' || code === 'ABORT_ERR')
    return failed(
      'docker',
      `does not answer at ${address}: it hangs`,
      'journalctl -u docker -n 50; systemctl restart docker (containers go on with live-restore only)',
    );
  return failed('docker', why, 'systemctl status docker; journalctl -u docker -n 50');
}
