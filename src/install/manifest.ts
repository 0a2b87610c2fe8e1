import type { Machine } from '../system/machine.ts';
import { LAYOUT } from './layout.ts';

/**
 * What was put on this machine. Written before the first change and again after the last one, so that an interrupted
 * `install` is seen as such, and `uninstall` removes what was made and nothing else.
 */
export type Manifest = {
  version: 1;
  /** False while an installation is under way, or was interrupted. */
  complete: boolean;
  /** Id of the installed program. */
  id: string;
  /** Files that are ours. */
  files: string[];
  /** Folders that were not there before. */
  folders: string[];
};

export function readManifest(machine: Machine): Manifest | undefined {
  const text = machine.text(LAYOUT.manifest);
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as Partial<Manifest>;
    return {
      version: 1,
      complete: value.complete === true,
      id: String(value.id ?? ''),
      files: strings(value.files),
      folders: strings(value.folders),
    };
  } catch {
    // Half a manifest cannot be: it is written atomically. Somebody's edit is treated like an interrupted installation.
    return { version: 1, complete: false, id: '', files: [], folders: [] };
  }
}

export function renderManifest(manifest: Manifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}
