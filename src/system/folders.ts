import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Makes a folder where it is missing, with this mode whatever the umask is. Throws with Node's `code`. */
export function ensureFolder(path: string, mode: number): void {
  if (mkdirSync(path, { recursive: true, mode }) !== undefined) chmodSync(path, mode);
}

/** True for a path that leads to something this process can see. */
export function isThere(path: string): boolean {
  return existsSync(path);
}

/** Removes files of a folder whose name `old` says so of. What cannot be removed stays; never throws. */
export function removeFiles(folder: string, old: (name: string) => boolean): void {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return; // No folder, nothing to remove.
  }
  for (const name of names) {
    if (!old(name)) continue;
    try {
      rmSync(join(folder, name));
    } catch {
      // It is tried again tomorrow.
    }
  }
}
