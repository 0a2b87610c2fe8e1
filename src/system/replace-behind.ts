import { rename, writeFile } from 'node:fs/promises';

/**
 * Replaces a file without making the caller wait for the disk: into `<path>.new`, then renamed. Readers see the old or the new one.
 * One at a time for a path. Flushed: after a power cut it is there, whole.
 */
export async function replaceBehind(path: string, content: Buffer, mode: number): Promise<void> {
  const temporary = `${path}.new`;
  await writeFile(temporary, content, { mode, flush: true });
  await rename(temporary, path);
}
