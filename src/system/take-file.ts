import { readFileSync, rmSync } from 'node:fs';

/** Text of a small file that is removed with the reading, so that it is reported once. Undefined where there is none. */
export function takeFile(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8').slice(0, 4096);
    rmSync(path, { force: true });
    return text;
  } catch {
    return undefined;
  }
}
