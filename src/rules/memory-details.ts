import { formatMemory, largestFirst } from '../model/container-memory.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { formatBytes, plain } from '../model/text.ts';
import type { Past } from './types.ts';

/** Slower growth than this is noise, not a culprit. */
const GROWTH_WORTH_NAMING = 1_048_576;

/** Who holds the memory: the three largest containers, and the one that grows fastest. Cgroups where Docker cannot be read. */
export function memoryDetails(snapshot: Snapshot, past: Past): string[] {
  const { docker, host } = snapshot.readings;
  const details: string[] = [];
  const containers = docker.state === 'ok' ? largestFirst(docker.value.containers) : [];
  if (containers.length > 0) {
    const largest = containers.slice(0, 3).map((c) => `${plain(c.name, 60)} ${formatMemory(c.memory)}`);
    details.push(`Largest containers: ${largest.join(', ')}`);
  } else if (host.state === 'ok' && host.value.cgroups.length > 0) {
    const largest = host.value.cgroups
      .slice(0, 3)
      .map((group) => `${plain(group.name, 60)} ${formatBytes(group.bytes)}`);
    details.push(`Largest groups of processes: ${largest.join(', ')}`);
  }
  const fastest = past.growth.toSorted((a, b) => b.bytesPerHour - a.bytesPerHour)[0];
  if (fastest && fastest.bytesPerHour >= GROWTH_WORTH_NAMING) {
    details.push(`Growing fastest: ${plain(fastest.name, 60)}, ${formatBytes(fastest.bytesPerHour)}/h`);
  }
  return details;
}
