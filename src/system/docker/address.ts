// Where the engine listens, and what helps when it cannot be used.
import { existsSync, readFileSync, statSync } from 'node:fs';
import type { RequestOptions } from 'node:http';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { DockerError } from '../types.ts';

export type DockerAddress = {
  address: string;
  socketPath?: string;
  host?: string;
  port?: number;
  /** Whether its socket is there, where that was looked for. */
  found?: boolean;
};

const USUAL = '/var/run/docker.sock';

/**
 * Sockets that are tried in this order when nothing is set: the system's, a rootless engine's, Docker Desktop's, then podman's. Those of
 * other users are not: who may put a socket there could pretend any container to a monitor that runs as root.
 */
export function usualSockets(env: NodeJS.ProcessEnv = process.env, home = homedir()): string[] {
  const runtime = env['XDG_RUNTIME_DIR'];
  const own = (path: string) => (runtime ? [join(runtime, path)] : []);
  return [
    USUAL,
    ...own('docker.sock'),
    join(home, '.docker/run/docker.sock'),
    '/run/podman/podman.sock',
    ...own('podman/podman.sock'),
  ];
}

/** `unix:///path`, `/path`, `tcp://host:port` or empty. Throws a plain error for anything else. */
export function parseDockerHost(dockerHost: string, candidates = usualSockets()): DockerAddress {
  const text = dockerHost.trim();
  if (text === '') {
    const first = candidates.find((path) => existsSync(path));
    const socketPath = first ?? USUAL;
    return { address: socketPath, socketPath, found: first !== undefined };
  }
  if (text.startsWith('/')) return { address: text, socketPath: text };
  if (text.startsWith('unix://')) return { address: text.slice(7), socketPath: text.slice(7) };
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['tcp:', 'http:'].includes(url.protocol) || !url.hostname) {
    throw new Error('DOCKER_HOST must be unix:///path/to/docker.sock or tcp://host:port');
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port) || (url.protocol === 'http:' ? 80 : 2375);
  return { address: `tcp://${url.hostname}:${port}`, host, port };
}

/** Whether its socket is not there. Where that cannot be seen, the connection will show it. */
export function isMissing({ socketPath, found }: DockerAddress): boolean {
  if (found !== undefined) return !found;
  try {
    return socketPath !== undefined && statSync(socketPath, { throwIfNoEntry: false }) === undefined;
  } catch {
    return false;
  }
}

/** For node:http. */
export function target(at: DockerAddress): RequestOptions {
  if (at.socketPath !== undefined) return { socketPath: at.socketPath, host: 'docker' };
  return { host: at.host, port: at.port };
}

/** Adds what would help to an error of the connection. Keeps its `code`. */
export function withHint(error: Error & { code?: string }, at: DockerAddress): DockerError {
  const path = at.socketPath;
  if (path === undefined) return error;
  const hint = hintFor(error.code, path);
  if (hint !== undefined) error.message = hint;
  return error;
}

function hintFor(code: string | undefined, path: string): string | undefined {
  if (code === 'ENOENT' && path === USUAL && existsSync('/usr/bin/podman'))
    return `no Docker socket at ${path}, and podman, which is installed, has none either: systemctl enable --now podman.socket`;
  if (code === 'ENOENT') return `no Docker socket at ${path}: Docker is not installed or not running`;
  if (code === 'ECONNREFUSED') return `nothing listens at ${path}: the Docker engine is not running`;
  if (code === 'EACCES') {
    return `permission denied on ${path}: run vpsmon as root, or add the user ${userName()} to the group ${groupOf(path)}`;
  }
  if (code === 'ENOTSOCK') return `${path} is not a socket`;
  return undefined;
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'that runs vpsmon');
  }
}

/** Name of the group that owns the socket; `docker` where it is not known. */
function groupOf(path: string): string {
  try {
    const { gid } = statSync(path);
    const line = readFileSync('/etc/group', 'utf8')
      .split('\n')
      .find((entry) => entry.split(':')[2] === String(gid));
    return line?.split(':')[0] ?? String(gid);
  } catch {
    return 'docker';
  }
}
