import { renameSync } from 'node:fs';

/** Renames a damaged file to `<path>.corrupt`, over an older one. The new path; undefined where that cannot be done. */
export function setAside(path: string): string | undefined {
  try {
    renameSync(path, `${path}.corrupt`);
    return `${path}.corrupt`;
  } catch {
    return undefined;
  }
}
