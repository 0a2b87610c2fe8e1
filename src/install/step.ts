import type { RuntimeFile } from './runtime.ts';

/** One thing that `install` or `uninstall` does. The plan is the list of them; `--dry-run` prints it. */
export type Step =
  | { kind: 'folder'; path: string; mode: number; why: string }
  | { kind: 'write'; path: string; mode: number; content: string; why: string; secret?: boolean }
  | { kind: 'copy'; path: string; files: RuntimeFile[]; why: string }
  | { kind: 'link'; path: string; target: string; why: string }
  | { kind: 'remove'; path: string; why: string }
  | { kind: 'remove-empty'; path: string; why: string }
  | {
      kind: 'run';
      command: string[];
      why: string;
      /** A failure is no reason to stop. */ tolerate?: boolean;
    };

export type Plan = {
  steps: Step[];
  /** What is there already, as it should be. */
  unchanged: string[];
  /** What the administrator should know. */
  notes: string[];
};
