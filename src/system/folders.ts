import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** Makes a folder where it is missing, with this mode whatever the umask is. Throws with Node's `code`. */
export function ensureFolder(path: string, mode: number): void {
  if (makeFolders(path, mode)) chmodSync(path, mode);
}

/**
 * Makes a folder and those above it that are missing; true where it was not there. Throws with Node's `code`. Node's own `recursive`
 * does not end where a folder is there in which the kernel lets nobody make one (`/proc/x`: ENOENT for ever).
 */
export function makeFolders(path: string, mode = 0o777): boolean {
  const folder = resolve(path);
  // A link that leads nowhere is no folder to anybody, and mkdir says why.
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return false;
  if (dirname(folder) !== folder) makeFolders(dirname(folder), mode);
  try {
    mkdirSync(folder, { mode });
    return true;
  } catch (error) {
    // Somebody else was quicker.
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return false;
    throw error;
  }
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
