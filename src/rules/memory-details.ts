import { formatMemory, largestFirst, totalBytes } from '../model/container-memory.ts';
import type { Config } from '../config/schema.ts';
import { whyEssential } from '../discovery/essential.ts';
import type { ContainerInfo, HostValues } from '../model/snapshot.ts';
import type { Snapshot } from '../model/sources.ts';
import { formatBytes, formatTime, plain } from '../model/text.ts';
import type { Context, Past } from './types.ts';

/** Slower growth than this is noise, not a culprit. */
const GROWTH_WORTH_NAMING = 1_048_576;

/** Outside of containers so much of the used memory is worth a line. */
const OUTSIDE_SHARE = 0.4;
/** Of all memory: a container that holds so much is worth a restart even if it does not grow. */
const LARGE_SHARE = 0.2;
/** What grew by less within ten minutes is not what fills the server. */
const GREW_LATELY = 20 * 1_048_576;

/**
 * Who holds the memory: the three largest containers, what is outside of them where that is much, and the container that grows
 * fastest.
 */
export function memoryDetails(snapshot: Snapshot, past: Past): string[] {
  const { docker, host } = snapshot.readings;
  const details: string[] = [];
  const containers = docker.state === 'ok' ? largestFirst(docker.value.containers) : [];
  if (containers.length > 0) {
    const largest = containers.slice(0, 3).map((c) => `${plain(c.name, 60)} ${formatMemory(c.memory)}`);
    details.push(`Largest containers: ${largest.join(', ')}`);
  }
  if (host.state === 'ok') details.push(...outside(host.value, containers));
  const fastest = past.growth.toSorted((a, b) => b.bytesPerHour - a.bytesPerHour)[0];
  if (fastest && fastest.bytesPerHour >= GROWTH_WORTH_NAMING) {
    details.push(`Growing fastest: ${plain(fastest.name, 60)}, ${formatBytes(fastest.bytesPerHour)}/h`);
  }
  return details;
}

type Measured = ContainerInfo & { memory: NonNullable<ContainerInfo['memory']> };
type Named = { name: string; bytes: number };

/** Services and processes that are in no container. The groups at the top where those are not known. */
function outside(host: HostValues, containers: readonly Measured[]): string[] {
  const held = containers.reduce((sum, { memory }) => sum + memory.workingSetBytes, 0);
  if (containers.length > 0 && held > host.memory.usedBytes * (1 - OUTSIDE_SHARE)) return [];
  const list = (all: readonly Named[]) =>
    all
      .slice(0, 3)
      .map(({ name, bytes }) => `${plain(name, 60)} ${formatBytes(bytes)}`)
      .join(', ');
  const { services = [], processes = [], cgroups } = host;
  const lines: string[] = [];
  if (services.length > 0) lines.push(`Largest services outside of containers: ${list(services)}`);
  if (processes.length > 0) lines.push(`Largest processes outside of containers: ${list(processes)}`);
  if (lines.length === 0 && containers.length === 0 && cgroups.length > 0)
    lines.push(`Largest groups of processes: ${list(cgroups)}`);
  return lines;
}

/**
 * What to do about it, in one line: restart the container that grows, or the largest. Of one that is essential it says so: what recovery
 * would refuse to touch is a person's decision. None where no container is to blame.
 */
export function memoryAdvice({ snapshot, past, config }: Context): string[] {
  const { docker, host } = snapshot.readings;
  if (docker.state !== 'ok' || host.state !== 'ok') return [];
  const containers = largestFirst(docker.value.containers).filter(
    ({ state, self }) => state === 'running' && !self,
  );
  const named = (name: string) => containers.find((container) => container.name === name);
  for (const { name, bytes, since } of past.recent ?? []) {
    const container = bytes >= GREW_LATELY ? named(name) : undefined;
    if (container)
      return [
        advise(
          container,
          config,
          `it has grown by ${formatBytes(bytes)} since ${formatTime(since).slice(11, 16)}`,
        ),
      ];
  }
  for (const { name, bytesPerHour } of past.growth.toSorted((a, b) => b.bytesPerHour - a.bytesPerHour)) {
    const container = bytesPerHour >= GROWTH_WORTH_NAMING ? named(name) : undefined;
    if (container) return [advise(container, config, `it grows by ${formatBytes(bytesPerHour)} an hour`)];
  }
  const large = containers.filter(
    ({ memory }) => totalBytes(memory) >= host.value.memory.totalBytes * LARGE_SHARE,
  );
  const best = large.find((one) => whyEssential(one, config) === undefined) ?? large[0];
  if (!best) return [];
  return [
    advise(best, config, best === containers[0] ? 'it holds most' : 'it holds most of what is not essential'),
  ];
}

function advise(container: Measured, config: Config, why: string): string {
  const name = plain(container.name, 80);
  const frees = `frees about ${formatBytes(totalBytes(container.memory))}`;
  const essential = whyEssential(container, config);
  if (essential === undefined) return `What helps: \`docker restart ${name}\` ${frees}; ${why}`;
  return `${name}: ${why}, and a restart ${frees}; it is essential (${essential}), so when to do that is up to you`;
}
