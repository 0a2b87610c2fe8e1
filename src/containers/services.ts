// The services as the status report and the start message show them.
import type { ServiceCounts, ServiceStatus } from '../model/monitor-report.ts';
import { isUp, isWatched, keyOf } from './table.ts';
import type { State } from './types.ts';

/** Every watched service once, with the missing ones. */
export function serviceLines(state: State): ServiceStatus[] {
  const lines: ServiceStatus[] = [];
  for (const known of state.known.values()) {
    const { info } = known;
    if (!isWatched(state, known)) continue;
    // Compose's short-lived second container of a service is no service of its own.
    if (state.byKey.get(keyOf(known)) !== info.id) continue;
    const { id: containerId, name, health, restartCount } = info;
    lines.push({ name, state: info.state, health, restartCount, containerId });
  }
  for (const { missing } of state.conditions.values())
    if (missing) lines.push({ name: missing.name, state: 'missing', health: 'none', restartCount: 0 });
  return lines;
}

export function countServices(state: State): ServiceCounts {
  const counts: ServiceCounts = { monitored: 0, running: 0, stopped: 0, restarting: 0, unhealthy: 0 };
  for (const line of serviceLines(state)) {
    counts.monitored += 1;
    if (line.state === 'running') counts.running += 1;
    else if (line.state === 'restarting') counts.restarting += 1;
    else counts.stopped += 1;
    if (line.state !== 'missing' && isUp(line.state) && line.health === 'unhealthy') counts.unhealthy += 1;
  }
  return counts;
}
