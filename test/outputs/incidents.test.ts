import { expect, it } from 'vitest';
import { incidentToJson, renderIncidents } from '../../src/outputs/terminal/incidents.ts';
import { incidentOf } from '../helpers/incident.ts';

it('A22: what was told as critical is listed as critical, though it was a warning at its end', () => {
  const incident = incidentOf({
    state: 'resolved',
    severity: 'warning',
    resolvedAt: 2,
    notified: { count: 2, severity: 'critical' },
  });
  const view = { incidents: [incident], now: 3, since: '24h', color: false, columns: 100 };
  expect(renderIncidents(view)).toMatch(/CRITICAL/);
  expect(incidentToJson(incident, 3)['severity']).toBe('critical');
});
