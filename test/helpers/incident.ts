import type { Incident } from '../../src/model/incident.ts';

/** An incident that fires and was not told, with `values` laid over. */
export function incidentOf(values: Partial<Incident> = {}): Incident {
  return {
    id: 1,
    rule: 'disk',
    subject: '/',
    state: 'firing',
    severity: 'warning',
    openedAt: 0,
    firedAt: 0,
    lastSeenAt: 0,
    text: 'Disk / is 81 % full, above 80 %',
    details: [],
    notified: { count: 0 },
    flips: [0],
    flapping: false,
    actions: [],
    ...values,
  };
}
