import { chmodSync, rmSync } from 'node:fs';

/** Makes way for a unix socket: one that a process left when it was killed, or any other file of that name. */
export function removeSocketFile(path: string): void {
  rmSync(path, { force: true });
}

/** For its owner alone: connecting takes the right to write. */
export function makeSocketPrivate(path: string): void {
  chmodSync(path, 0o600);
}
