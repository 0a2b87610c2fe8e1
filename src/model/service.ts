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

/** The change of a service that opens incidents of a rule, as `mute` in vpsmon.yaml names it. */
export const CHANGE_OF_RULE: Record<string, string> = {
  'container-stopped': 'stopped',
  'container-unhealthy': 'unhealthy',
  'container-malfunction': 'malfunction',
  'restart-loop': 'malfunction',
};
