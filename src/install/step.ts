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

/** What a step does, in one line. */
export function describeStep(step: Step): string {
  switch (step.kind) {
    case 'folder':
      return `create folder ${step.path} (${octal(step.mode)})`;
    case 'write':
      return `write ${step.path} (${octal(step.mode)})`;
    case 'copy':
      return `copy ${step.files.length} files to ${step.path}`;
    case 'link':
      return `link ${step.path} -> ${step.target}`;
    case 'remove':
      return `remove ${step.path}`;
    case 'remove-empty':
      return `remove ${step.path} if it is empty`;
    case 'run':
      return `run ${step.command.join(' ')}`;
  }
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
