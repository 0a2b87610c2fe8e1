/** A step of recovery, recorded before it is done. */
export type ActionState = 'planned' | 'running' | 'worked' | 'failed' | 'unclear' | 'undone' | 'would-do';
export type Action = {
  id: number;
  rule: 'waha' | 'queue' | 'swap' | 'loops' | 'manual';
  /** Container name, session name or workflow id. */
  target: string;
  /** e.g. restart-session, restart-container, deactivate-workflow, stop-container, raise-limit. */
  what: string;
  /** Evidence, one plain sentence. */
  why: string;
  state: ActionState;
  startedAt: number;
  endedAt?: number;
  result?: string;
  /** What is needed to undo it: container id, workflow version, old limit. */
  undo?: Record<string, unknown>;
  undoneAt?: number;
};
