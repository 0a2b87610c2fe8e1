import { appendFileSync, chmodSync, renameSync, statSync } from 'node:fs';

const MAX_BYTES = 5 * 1_048_576;

/**
 * Appends one line to a log that only its owner may read; beyond 5 MB the old one becomes `path.1`. Never throws: says
 * what went wrong, for a full disk must not stop a message from being sent.
 */
export function appendLine(path: string, line: string, maxBytes = MAX_BYTES): string | undefined {
  try {
    const size = sizeOf(path);
    if (size !== undefined && size >= maxBytes) renameSync(path, `${path}.1`);
    appendFileSync(path, `${line.replace(/[\r\n]+/g, ' ')}\n`, { mode: 0o600 });
    // The mode above counts only for a new file; one that was made by hand may be open to all.
    if (size === undefined || size >= maxBytes) chmodSync(path, 0o600);
    return undefined;
  } catch (error) {
    return `${path} cannot be written: ${(error as Error).message}`;
  }
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}
