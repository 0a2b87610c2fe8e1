import { discoverFrom } from '../../src/discovery/from.ts';
import type { Discovered } from '../../src/model/targets.ts';
import type { Config, Key, Settings } from '../../src/config/schema.ts';
import type { DockerInspect, DockerListItem } from '../../src/system/types.ts';
import { defaultConfig } from '../helpers/collector-deps.ts';

export type Sketch = {
  name: string;
  image: string;
  env?: Record<string, string>;
  /** Path and arguments. */
  command?: string[];
  service?: string;
  /** Network aliases; otherwise those that Compose gives. */
  aliases?: string[];
  /** What an image claims about itself. */
  labels?: Record<string, string>;
  project?: string;
  state?: string;
  /** Network name to address; default one network `shop` with the address below. */
  networks?: Record<string, string>;
  address?: string;
  networkMode?: string;
  /** `5432`, `127.0.0.1:5433->5432`, `0.0.0.0:5432->5432`, `[::]:5432->5432` */
  ports?: string[];
  created?: number;
  id?: string;
  /** What it alone calls others. */
  hosts?: Record<string, string>;
};

let made = 0;

function addressFor(name: string): string {
  const sum = Array.from(name).reduce((total, letter) => total + (letter.codePointAt(0) ?? 0), 0);
  return `172.20.1.${sum % 250}`;
}

/** A container as Docker's list and inspect show it. */
export function container(sketch: Sketch): { item: DockerListItem; inspect: DockerInspect } {
  made++;
  const id = (sketch.id ?? made.toString(16)).padStart(64, '0');
  const labels: Record<string, string> = {
    ...sketch.labels,
    ...(sketch.service ? { 'com.docker.compose.service': sketch.service } : {}),
    ...(sketch.project ? { 'com.docker.compose.project': sketch.project } : {}),
  };
  const { networkMode = 'shop', state = 'running', created = made } = sketch;
  const usual = networkMode.startsWith('container:')
    ? {}
    : networkMode === 'host'
      ? { host: '' }
      : { shop: sketch.address ?? addressFor(sketch.name) };
  const networks = Object.fromEntries(
    // As Compose does it: a service's name is an alias in each of its networks.
    Object.entries(sketch.networks ?? usual).map(([name, address]) => [
      name,
      { address, aliases: sketch.aliases ?? (sketch.service ? [sketch.name, sketch.service] : []) },
    ]),
  );
  const ports = (sketch.ports ?? []).map((text) => {
    const [, ip, publicPort, privatePort] = /^(?:(.+):(\d+)->)?(\d+)$/.exec(text) ?? [];
    const published =
      publicPort === undefined
        ? {}
        : { publicPort: Number(publicPort), ip: (ip ?? '').replace(/^\[|\]$/g, '') };
    return { privatePort: Number(privatePort), type: 'tcp', ...published };
  });
  const { name, image } = sketch;
  const item = { id, name, image, labels, state, status: '', created, networks, ports };
  const inspect: DockerInspect = {
    id,
    name,
    image,
    labels,
    created,
    env: Object.entries(sketch.env ?? {}).map(([key, value]) => `${key}=${value}`),
    command: sketch.command ?? ['docker-entrypoint.sh'],
    restartCount: 0,
    state: { status: state, pid: 1, exitCode: 0, oomKilled: false, error: '', startedAt: 1, finishedAt: 0 },
    hostConfig: {
      memory: 0,
      memorySwap: 0,
      restartPolicy: 'no',
      maximumRetryCount: 0,
      networkMode,
      autoRemove: false,
    },
    ...(sketch.hosts ? { hosts: sketch.hosts } : {}),
    networks,
    ports,
  };
  return { item, inspect };
}

/** What is found with these containers and settings, where vpsmon runs on the host, or in `self`. */
export function discover(
  sketches: Sketch[],
  options: { settings?: Partial<Settings>; self?: string; engineHost?: string; dockerWhy?: string } = {},
): Discovered {
  const all = sketches.map((sketch) => container(sketch));
  const self = all.find(({ item }) => item.name === options.self);
  return discoverFrom(
    {
      list: all.map(({ item }) => item),
      inspects: all.map(({ inspect }) => inspect),
      ...(self ? { selfId: self.item.id } : {}),
      ...(options.engineHost ? { engineHost: options.engineHost } : {}),
      ...(options.dockerWhy ? { dockerWhy: options.dockerWhy } : {}),
    },
    configWith(options.settings ?? {}),
  );
}

/** Settings as if they stood in a file. */
export function configWith(settings: Partial<Settings>): Config {
  const config = defaultConfig(settings);
  let line = 0;
  for (const key of Object.keys(settings)) {
    config.origins[key as Key] = { from: 'file', file: '/etc/vpsmon/monitor.conf', line: ++line };
  }
  return config;
}
