import { addSilence } from '../../src/incidents/silences.ts';
import { saveIncidents } from '../../src/store/incidents.ts';
import { openStore } from '../../src/store/open.ts';
import { saveServices } from '../../src/store/services.ts';
import { incidentOf } from './incident.ts';

/** A state folder with containers (one of them with a hostile name), a silence and an incident, for tab completion. */
export function writeState(folder: string): void {
  const now = Date.now();
  const store = openStore(folder, now);
  const hostile = `$(touch ${folder}/owned)`;
  const changes = new Map<string, unknown>([
    ['shop-web-1', { key: 'shop-web-1', name: 'shop-web-1', service: 'web' }],
    [hostile, { key: hostile, name: hostile, service: '`touch owned`' }],
  ]);
  saveServices(store.db, changes, { key: 'seen', value: {} }, now);
  addSilence(store.db, { subject: 'web', until: now + 3_600_000, reason: 'upgrade' }, now);
  saveIncidents(store.db, [incidentOf({ id: 1, text: `web stopped; ${hostile}`, openedAt: now })]);
  store.close();
}
