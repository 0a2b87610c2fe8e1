import { expect, it } from 'vitest';
import { incidentToJson, renderIncident, renderIncidents } from '../../src/outputs/terminal/incidents.ts';
import { incidentOf } from '../helpers/incident.ts';

it('U17: the name and what was done are shown whole', () => {
  const name = `${'customer-'.repeat(20)}web-1`;
  const incident = incidentOf({ subject: name });
  const shown = renderIncident(incident, { now: 3, color: false, columns: 80 });
  expect(shown).toContain(name);
});

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
