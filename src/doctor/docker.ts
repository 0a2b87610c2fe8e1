import type { Docker } from '../system/types.ts';
import { errorText, formatDuration, plain } from '../model/text.ts';
import { failed, ok, warning, type Line } from './types.ts';

/** 20.10, of 2020: the oldest that was tried. */
const OLDEST_API = [1, 41];

/**
 * `wanted`: the administrator named one (DOCKER_HOST), or it is installed here; then its absence is a failure. `patient` is the
 * same engine, waited for longer: a machine that is merely busy answers late.
 */
export async function examineDocker(docker: Docker, wanted: boolean, patient: Docker): Promise<Line[]> {
  const first = await ask(docker);
  if (!('error' in first)) {
    const kind = await docker.info().then(describeEngine, () => '');
    const line = judgeVersion(first);
    return [{ ...line, text: line.text + kind }, ...(await examineEvents(docker, false))];
  }
  if (!isSlow(first.error)) return [judgeDockerError(first.error, docker.address, wanted)];
  const second = await ask(patient);
  if ('error' in second) return [judgeDockerError(second.error, docker.address, wanted)];
  const name = second.podman ? 'podman' : 'Docker';
  return [
    warning(
      'docker',
      `${name} ${second.version} at ${docker.address} is slow: it answered the second question, after ${formatDuration(second.tookMs)}; the machine is busy`,
      `look who keeps it busy (top, docker stats), then run doctor again; there is no need to restart ${name} for that`,
    ),
    ...(await examineEvents(patient, true)),
  ];
}

/** What is unusual about an engine, as the end of a line: who it runs as, where it keeps its data. */
export function describeEngine(info: Awaited<ReturnType<Docker['info']>>): string {
  const { rootless, userns, rootDir } = info;
  const parts = [
    rootless ? 'rootless: other engines on this machine, and their containers, are not seen' : '',
    userns ? 'with users of its own in containers (userns-remap)' : '',
    ['', '/var/lib/docker', '/var/lib/containers/storage'].includes(rootDir)
      ? ''
      : `its data in ${plain(rootDir, 100)}`,
  ].filter(Boolean);
  return parts.length > 0 ? `; ${parts.join('; ')}` : '';
}

type Answer = { version: string; apiVersion: string; podman?: boolean; address: string; tookMs: number };

async function ask(docker: Docker): Promise<Answer | { error: unknown }> {
  const start = performance.now();
  try {
    const { version, apiVersion, podman = false } = await docker.version();
    return { version, apiVersion, podman, address: docker.address, tookMs: performance.now() - start };
  } catch (error) {
    return { error };
  }
}

function isSlow(error: unknown): boolean {
  return ['ETIMEDOUT', 'ABORT_ERR'].includes((error as { code?: string }).code ?? '');
}

const EVENTS = 'docker events';
const SEEN_LATE = 'what happens to containers is seen late, from the list that is asked for instead';

/** Whether the event stream begins: a socket proxy may refuse it, or hold it back. */
async function examineEvents(docker: Docker, busy: boolean): Promise<Line[]> {
  const error = (await follow(docker)) && (await follow(docker));
  if (!error) return busy ? [] : [judgeEvents({ state: 'ok', why: null })];
  if (busy && isSlow(error))
    return [
      warning(
        EVENTS,
        `have not begun, as the machine is busy; ${SEEN_LATE}`,
        'run doctor again when it is less busy',
      ),
    ];
  return [judgeEvents({ state: 'failed', why: errorText(error) })];
}

/** The event stream as a source of its own, as doctor has tried it or as the running monitor follows it. */
export function judgeEvents({ state, why }: { state: string; why: string | null }): Line {
  if (state === 'ok') return ok(EVENTS, 'are followed: what happens to a container is known at once');
  if (state === 'absent') return ok(EVENTS, `are not followed: ${why ?? 'there is no Docker here'}`);
  return failed(
    EVENTS,
    `cannot be followed: ${why ?? 'for an unknown reason'}; ${SEEN_LATE}`,
    'let the socket proxy pass /events unbuffered (EVENTS=1), or set DOCKER_HOST to the engine itself',
  );
}

/** What went wrong; undefined when the stream began. */
async function follow(docker: Docker): Promise<unknown> {
  const stop = new AbortController();
  try {
    let began = false;
    await docker.events({
      signal: stop.signal,
      onEvent() {},
      onOpen() {
        began = true;
        stop.abort();
      },
    });
    return began ? undefined : new Error('it ended before it began');
  } catch (error) {
    return error;
  }
}

function judgeVersion({ version, apiVersion, podman = false, address }: Omit<Answer, 'tookMs'>): Line {
  const [major = 0, minor = 0] = apiVersion.split('.').map(Number);
  const old = major < OLDEST_API[0]! || (major === OLDEST_API[0] && minor < OLDEST_API[1]!);
  if (podman) return ok('docker', `podman ${version} with Docker's API ${apiVersion}, ${address}`);
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
      `containers are not watched: ${why}`,
      'install Docker, or set DOCKER_HOST where it listens elsewhere; without containers this is fine',
    );
  if (code === 'ENOENT' || code === 'ECONNREFUSED')
    return failed('docker', why, 'systemctl status docker; set DOCKER_HOST where it listens elsewhere');
  if (code === 'ETIMEDOUT' || code === 'ABORT_ERR')
    return failed(
      'docker',
      `does not answer at ${address}, asked twice: it hangs, or the machine is too busy for it`,
      'look whether the machine is busy (uptime, top) and what Docker says (journalctl -u docker -n 50); run doctor again in a minute',
    );
  return failed('docker', why, 'systemctl status docker; journalctl -u docker -n 50');
}
