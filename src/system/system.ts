import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from './clock.ts';
import { openDocker } from './docker/docker.ts';
import { hostFiles } from './files.ts';
import { httpRequest } from './http/http.ts';
import { openKernelLog } from './kernel-log.ts';
import { stderrLog } from './log.ts';
import type { LogLevel, System } from './types.ts';

/** The outside world, nothing of it opened yet. */
export function openSystem(options: {
  dockerHost: string;
  hostRoot: string;
  logLevel: LogLevel;
  secrets: string[];
}): System {
  return {
    clock: systemClock(),
    files: hostFiles(options.hostRoot),
    http: httpRequest,
    log: stderrLog(options.logLevel, options.secrets),
    kernelLog: openKernelLog(kernelLogPath(options.hostRoot)),
    docker: openDocker(options.dockerHost),
    root: process.getuid?.() === 0,
  };
}

/** A container has a /dev of its own; the host's is below the mounted root where it was given. */
function kernelLogPath(hostRoot: string): string {
  const path = join(hostRoot, 'dev/kmsg');
  return existsSync(path) ? path : '/dev/kmsg';
}
