// What the engine answers, reduced to what is used. Every field may be missing or of another type: engines from 1.24 to 1.5x
// differ, and socket proxies and look-alikes (podman) leave things out. A sample of GET /containers/json:
//
//   [{"Id":"3f4e…","Names":["/shop-postgres-1"],"Image":"postgres:16","Created":1700000000,"State":"running",
//     "Status":"Up 6 seconds (healthy)","Labels":{"com.docker.compose.service":"postgres"},
//     "Ports":[{"IP":"0.0.0.0","PrivatePort":5432,"PublicPort":5432,"Type":"tcp"}],
//     "NetworkSettings":{"Networks":{"shop_default":{"IPAddress":"172.18.0.2"}}}}]
import type { DockerInspect, DockerListItem } from '../types.ts';

type Json = Record<string, unknown>;

export function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}
export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
function count(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
export function array(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
export function texts(value: unknown): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [key, entry] of Object.entries(object(value)))
    if (typeof entry === 'string') result[key] = entry;
  return result;
}

/** Docker's names start with a slash; linked containers have several names, the own one has no further slash. */
function nameOf(names: unknown[], id: string): string {
  const all = names.map((name) => text(name).replace(/^\//, '')).filter(Boolean);
  return all.find((name) => !name.includes('/')) ?? all[0] ?? id.slice(0, 12);
}

/** Epoch ms of Docker's time stamp; 0 for its zero value `0001-01-01T00:00:00Z` and for nonsense. */
function parseTime(value: unknown): number {
  const ms = Date.parse(text(value));
  return ms > 0 ? ms : 0;
}

function networksOf(settings: unknown): DockerInspect['networks'] {
  const result: DockerInspect['networks'] = {};
  for (const [name, network] of Object.entries(object(object(settings)['Networks']))) {
    const { IPAddress, GlobalIPv6Address, Aliases, DNSNames } = object(network);
    const aliases = [...new Set([...array(Aliases), ...array(DNSNames)].map((one) => text(one)))].filter(
      Boolean,
    );
    result[name] = {
      address: text(IPAddress) || text(GlobalIPv6Address),
      ...(aliases.length > 0 ? { aliases } : {}),
    };
  }
  return result;
}

/** Links of the default network (`/db:/n8n/postgres`) and of others (`db:postgres`), and hosts that were added (`db:10.0.0.1`, `db=10.0.0.1`). */
function hostsOf(host: Json, settings: Json): Record<string, string> {
  const networks = Object.values(object(settings['Networks']));
  const links = [host, ...networks.map(object)].flatMap((one) => array(one['Links']).map(text));
  return Object.fromEntries([
    ...links.map((link) => {
      const [name = '', alias = ''] = link.split(':');
      return [alias.split('/').at(-1)?.toLowerCase() ?? '', name.replace(/^\//, '')];
    }),
    ...array(host['ExtraHosts']).map((entry) => {
      const [, alias = '', address = ''] = /^([^:=]+)[:=](.+)$/.exec(text(entry)) ?? [];
      return [alias.toLowerCase(), address];
    }),
  ]);
}

export function parseListItem(raw: unknown): DockerListItem {
  const item = object(raw);
  const id = text(item['Id']);
  return {
    id,
    name: nameOf(array(item['Names']), id),
    image: text(item['Image']),
    labels: texts(item['Labels']),
    state: text(item['State']),
    status: text(item['Status']),
    networks: networksOf(item['NetworkSettings']),
    ports: array(item['Ports']).map((entry) => {
      const port = object(entry);
      return {
        privatePort: count(port['PrivatePort']),
        ...(count(port['PublicPort']) > 0 ? { publicPort: count(port['PublicPort']) } : {}),
        ...(text(port['IP']) ? { ip: text(port['IP']) } : {}),
        type: text(port['Type']) || 'tcp',
      };
    }),
  };
}

/** Answer of GET /containers/json. Entries without an id are left out. */
export function parseList(answer: unknown): DockerListItem[] {
  if (!Array.isArray(answer)) throw new Error('Docker answered the list of containers with something else');
  return answer.map(parseListItem).filter((item) => item.id !== '');
}

/** `{"5432/tcp":[{"HostIp":"0.0.0.0","HostPort":"5433"}],"80/tcp":null}` */
function inspectPorts(raw: unknown): DockerInspect['ports'] {
  return Object.entries(object(raw)).flatMap(([key, bindings]) => {
    const [port, type = 'tcp'] = key.split('/');
    const base = { privatePort: Number(port) || 0, type };
    const published = array(bindings).map((entry) => {
      const binding = object(entry);
      const publicPort = Number(text(binding['HostPort'])) || 0;
      const ip = text(binding['HostIp']);
      return { ...base, ...(publicPort > 0 ? { publicPort } : {}), ...(ip ? { ip } : {}) };
    });
    return published.length > 0 ? published : [base];
  });
}

function healthOf(raw: unknown): DockerInspect['state']['health'] {
  const health = object(raw);
  const status = text(health['Status']);
  if (status === '' || status === 'none') return undefined;
  return {
    status,
    log: array(health['Log']).map((entry) => {
      const run = object(entry);
      return { exitCode: count(run['ExitCode']), output: text(run['Output']), end: parseTime(run['End']) };
    }),
  };
}

function stateOf(raw: unknown): DockerInspect['state'] {
  const state = object(raw);
  const health = healthOf(state['Health']);
  return {
    status: text(state['Status']),
    pid: count(state['Pid']),
    exitCode: count(state['ExitCode']),
    oomKilled: state['OOMKilled'] === true,
    error: text(state['Error']),
    startedAt: parseTime(state['StartedAt']),
    finishedAt: parseTime(state['FinishedAt']),
    ...(health ? { health } : {}),
  };
}

const DOWN = new Set(['created', 'exited', 'dead']);

/** Answer of GET /containers/{id}/json. */
export function parseInspect(answer: unknown): DockerInspect {
  const raw = object(answer);
  const config = object(raw['Config']);
  const host = object(raw['HostConfig']);
  const policy = object(host['RestartPolicy']);
  const settings = object(raw['NetworkSettings']);
  const state = stateOf(raw['State']);
  const hosts = hostsOf(host, settings);
  const id = text(raw['Id']);
  if (id === '') throw new Error('Docker answered an inspect with something else');
  return {
    id,
    name: nameOf([raw['Name']], id),
    image: text(config['Image']) || text(raw['Image']),
    labels: texts(config['Labels']),
    created: parseTime(raw['Created']),
    env: array(config['Env']).map(text),
    command: [text(raw['Path']), ...array(raw['Args']).map(text)].filter(Boolean),
    ...(text(object(host['LogConfig'])['Type'])
      ? { logDriver: text(object(host['LogConfig'])['Type']) }
      : {}),
    ...(text(config['StopSignal']) ? { stopSignal: text(config['StopSignal']) } : {}),
    ...(count(config['StopTimeout']) > 0 ? { stopTimeoutMs: count(config['StopTimeout']) * 1000 } : {}),
    restartCount: count(raw['RestartCount']),
    state,
    hostConfig: {
      memory: count(host['Memory']),
      memorySwap: count(host['MemorySwap']),
      restartPolicy: text(policy['Name']) || 'no',
      maximumRetryCount: count(policy['MaximumRetryCount']),
      networkMode: text(host['NetworkMode']),
      autoRemove: host['AutoRemove'] === true,
    },
    ...(Object.keys(hosts).length > 0 ? { hosts } : {}),
    networks: networksOf(settings),
    // One that is down has no ports now; what it publishes when it runs shows which one an address means.
    ports: inspectPorts(DOWN.has(state.status) ? host['PortBindings'] : settings['Ports']),
  };
}

type Stats = { workingSetBytes: number; anonBytes: number; cpuTotalNs: number };

/**
 * Answer of GET /containers/{id}/stats. Undefined for a container that does not run (its numbers are empty).
 * Working set as `docker stats` counts it: usage minus (v1) total_inactive_file or (v2) inactive_file.
 */
export function parseStats(answer: unknown): Stats | undefined {
  const memory = object(object(answer)['memory_stats']);
  const cpu = object(object(object(answer)['cpu_stats'])['cpu_usage']);
  const usage = count(memory['usage']);
  if (usage === 0) return undefined;
  const detail = object(memory['stats']);
  const v1 = typeof detail['total_inactive_file'] === 'number';
  const inactive = count(v1 ? detail['total_inactive_file'] : detail['inactive_file']);
  return {
    workingSetBytes: inactive < usage ? usage - inactive : usage,
    anonBytes: count(v1 ? detail['total_rss'] : detail['anon']),
    cpuTotalNs: count(cpu['total_usage']),
  };
}
