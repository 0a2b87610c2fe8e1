import { BYTES, COUNT, metric, type Metric, type MetricSample, PERCENT, type Put, source } from './source.ts';
import { heldBytes } from '../container-memory.ts';
import { plain } from '../text.ts';
import type { ContainerInfo, DockerValues } from '../snapshot.ts';

/** What is read from Docker, and of its containers. */
export const CONTAINER_SOURCES = {
  docker: source<DockerValues>()({
    name: 'Docker',
    section: 'containers',
    rules: {
      'container-memory': {
        about: 'anonymous memory and swap',
        warning: 'per service in vpsmon.yaml',
        critical: 'per service',
        ends: '10 % below the warning',
        settings: '`memory_warning_mb`, `memory_critical_mb` in `vpsmon.yaml`',
        many: '# containers use much of their memory',
        row: 'docker',
      },
    },
    metrics: [
      container(
        'container_memory_bytes',
        'Memory of a container without page cache that can be dropped, in bytes.',
        ({ memory }) => memory?.workingSetBytes,
      ),
      container(
        'container_cpu_percent',
        'CPU use of a container since the last check; 100 is one whole CPU.',
        ({ cpuPercent }) => cpuPercent,
      ),
      container(
        'vpsmon_container_anonymous_bytes',
        'Anonymous memory of a container, which cannot be dropped, in bytes.',
        ({ memory }) => memory?.anonBytes,
      ),
      container(
        'vpsmon_container_swap_bytes',
        'Memory of a container that is in swap, in bytes; none where the kernel does not account for it.',
        ({ memory }) => memory?.swapBytes,
      ),
      container(
        'vpsmon_container_memory_limit_bytes',
        'Memory limit of a container, in bytes; none for a container without a limit.',
        ({ limitBytes }) => limitBytes ?? undefined,
      ),
      container(
        'vpsmon_container_running',
        '1 while a container runs, else 0.',
        ({ state }) => state === 'running',
      ),
      container(
        'vpsmon_container_healthy',
        '1 while the healthcheck of a container succeeds or is still starting, else 0; none without a healthcheck.',
        ({ health }) => (health === 'none' ? undefined : health !== 'unhealthy'),
      ),
      container(
        'vpsmon_container_restarts',
        'Restarts of a container by its policy since it was last started by hand, as Docker counts them.',
        ({ restartCount }) => restartCount,
      ),
      container(
        'vpsmon_container_recent_restarts',
        'Restarts of a container after a death within the last 5 minutes.',
        ({ restartsLast5Min }) => restartsLast5Min,
      ),
      container(
        'vpsmon_container_start_time_seconds',
        'When a running container was started, in seconds since 1970.',
        ({ state, startedAt }) =>
          state === 'running' && startedAt !== undefined ? startedAt / 1000 : undefined,
      ),
      metric(
        'vpsmon_containers',
        'Number of containers by state.',
        ({ containers }) => {
          const counts = new Map<string, number>([['running', 0]]);
          for (const { state } of containers) counts.set(state, (counts.get(state) ?? 0) + 1);
          return [...counts].map(([state, value]) => ({ value, labels: { state } }));
        },
        ['state'],
      ),
    ],
    row: { label: 'docker', show: dockerText },
    history: keepContainers,
  }),
};

function container(
  name: string,
  help: string,
  value: (container: ContainerInfo) => MetricSample['value'],
): Metric<DockerValues> {
  return metric(
    name,
    help,
    ({ containers }) => containers.map((one) => ({ value: value(one), labels: { container: one.name } })),
    ['container'],
  );
}

function dockerText({ version, containers }: DockerValues): string {
  const running = containers.filter(({ state }) => state === 'running').length;
  return `${plain(version, 20)}, ${running} of ${containers.length} containers running`;
}

function keepContainers({ containers }: DockerValues, put: Put): void {
  let running = 0;
  for (const container of containers) {
    if (container.state === 'running') running++;
    put('container.memory', BYTES, container.memory?.workingSetBytes, container.name);
    // What is in swap counts, or a leak would stop growing when it is swapped out.
    put('container.anon', BYTES, container.memory && heldBytes(container.memory), container.name);
    put('container.cpu', PERCENT, container.cpuPercent, container.name);
    // Nearly always zero, and then it is not worth its bytes.
    if (container.restartCount > 0) put('container.restarts', COUNT, container.restartCount, container.name);
  }
  put('containers.running', COUNT, running);
  put('containers.total', COUNT, containers.length);
}
