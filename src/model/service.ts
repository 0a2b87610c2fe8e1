import type { ContainerHealth, ContainerState } from './snapshot.ts';

/** One line of the status report. */
export type ServiceStatus = {
  name: string;
  /** missing: named in MONITORED_SERVICES, but there is no such container. */
  state: ContainerState | 'missing';
  health: ContainerHealth;
  restartCount: number;
  containerId?: string;
};
