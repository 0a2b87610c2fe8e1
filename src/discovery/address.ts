import { plain } from '../model/text.ts';
import type { Candidate, Located } from './kind.ts';
import { engineNames, sole } from './trust.ts';

/** Where vpsmon stands: on the host, in a container of the same engine, or on another machine than the engine. */
export type Surroundings = {
  /** All running containers of the engine. */
  all: Located[];
  /** vpsmon's own container. */
  self?: Located;
  /** The engine's host where that is another machine (DOCKER_HOST=tcp://...). */
  engineHost?: string;
};
export type Address = { host: string; port: number; via: string };
export type Unreachable = { why: string };

/** How to reach a port inside a container from where vpsmon stands. */
export function addressOf(container: Located, port: number, around: Surroundings): Address | Unreachable {
  const owner = networkOwner(container, around);
  if (around.self && !isOnHost(around.self))
    return fromContainer(owner, port, around.self, container.name, around.all);
  if (isOnHost(owner)) return { host: around.engineHost ?? '127.0.0.1', port, via: "the host's network" };
  const published = publishedPort(owner, port, around.engineHost);
  if (published) return { ...published, via: 'its published port' };
  const address = around.engineHost ? '' : firstAddress(owner);
  if (address) return { host: address, port, via: 'its network address' };
  return {
    why: `container ${plain(container.name, 60)} has no address for port ${port} that can be reached from here`,
  };
}

/** `network_mode: service:vpn`: the ports and addresses are those of the other container. */
export function networkOwner(container: Located, { all }: Surroundings): Located {
  const other = /^container:(.+)$/.exec(container.networkMode ?? '')?.[1];
  return all.find(({ id, name }) => other !== undefined && (id === other || name === other)) ?? container;
}

export function isOnHost(container: Located): boolean {
  return container.networkMode === 'host' || Object.keys(container.networks).includes('host');
}

function fromContainer(
  owner: Located,
  port: number,
  self: Located,
  name: string,
  all: Located[],
): Address | Unreachable {
  if (owner.id === self.id) return { host: '127.0.0.1', port, via: 'the same network namespace' };
  const shared = Object.keys(owner.networks).find((network) => Object.hasOwn(self.networks, network));
  if (shared === undefined) {
    const there = Object.keys(owner.networks).slice(0, 3).join(', ') || 'none';
    return {
      why: `container ${plain(name, 60)} shares no network with vpsmon's own container: connect it to ${plain(there, 100)}`,
    };
  }
  const via = `the network ${plain(shared, 60)}`;
  // Docker's DNS knows names on networks that people made, not on the default one. One that another container answers to as well, or
  // that a resolver takes for an address (`127.1`, `2130706433`), leads elsewhere.
  const isPlain = !looksLikeAddress(owner.name) && !isLoopback(owner.name.toLowerCase());
  const others = all.filter(
    (one) => one.id !== owner.id && Object.keys(one.networks).some((n) => self.networks[n]),
  );
  if (shared !== 'bridge' && isPlain && !others.some((one) => isCalled(owner.name, one)))
    return { host: owner.name, port, via };
  const address = owner.networks[shared]?.address;
  return address ? { host: address, port, via } : { why: `container ${plain(name, 60)} has no address` };
}

/** Numbers with dots between them, decimal or hexadecimal. Split, for a pattern of both would try every way to divide a long number. */
function looksLikeAddress(name: string): boolean {
  return name
    .replace(/\.$/, '')
    .split('.')
    .every((part) => /^(?:0x[0-9a-f]*|\d+)$/i.test(part));
}

function publishedPort(
  { ports }: Located,
  port: number,
  engineHost: string | undefined,
): { host: string; port: number } | undefined {
  const published = ports.flatMap(({ privatePort, publicPort, ip, type }) => {
    if (privatePort !== port || type !== 'tcp' || publicPort === undefined) return [];
    const everywhere = ip === undefined || ip === '' || ip === '0.0.0.0' || ip === '::';
    if (engineHost !== undefined) {
      const loopback = ip === '::1' || ip?.startsWith('127.');
      return loopback ? [] : [{ host: everywhere ? engineHost : ip, port: publicPort }];
    }
    return [{ host: everywhere ? (ip === '::' ? '::1' : '127.0.0.1') : ip, port: publicPort }];
  });
  return published.find(({ host }) => family(host) !== 6) ?? published[0];
}

function firstAddress({ networks }: Located): string {
  const addresses = Object.values(networks).map(({ address }) => address);
  return (
    addresses.find((address) => family(address) === 4) ??
    addresses.find((address) => family(address) === 6) ??
    ''
  );
}

/** The one running container whose port this address means, as seen from here or from the containers. */
export function meantBy(
  host: string,
  port: number,
  candidates: Candidate[],
  portOf: (candidate: Candidate) => number,
  around: Surroundings,
): Candidate | undefined {
  const wanted = host.toLowerCase();
  const reached = candidates.filter((one) => {
    const address = addressOf(one.at, portOf(one), around);
    return 'host' in address && sameHost(address.host, wanted) && address.port === port;
  });
  // By its name, if that leads to it from here: for one that cannot be reached the name would be another one's.
  const called = candidates.filter((one) => portOf(one) === port && isCalled(wanted, one.at));
  return (
    sole(reached) ?? sole(called.filter((one) => !one.running || 'host' in addressOf(one.at, port, around)))
  );
}

/** Whether the engine knows it by this name or address. */
export function isCalled(host: string, at: Located): boolean {
  const wanted = host.toLowerCase();
  if (wanted === '' || isLoopback(wanted)) return false;
  if (Object.values(at.networks).some((n) => n.address === wanted)) return true;
  // Docker's DNS knows each name with the network's behind it, too (`postgres.shop_default`), and a Swarm's tasks by that word.
  const exact = wanted.replace(/\.$/, '');
  const meant = new Set([exact, exact.replace(/^tasks\./, '')]);
  const networks = Object.keys(at.networks).map((network) => `.${network.toLowerCase()}`);
  return engineNames(at).some(
    (name) => meant.has(name) || networks.some((network) => meant.has(`${name}${network}`)),
  );
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

function sameHost(a: string, b: string): boolean {
  return a.toLowerCase() === b || (isLoopback(a) && isLoopback(b));
}

/** A container's name means nothing to the host's resolver: its address is taken. Undefined where this is not its name. */
export function addressByName(
  host: string,
  container: Located,
  port: number,
  around: Surroundings,
): Address | undefined {
  if (family(host) !== 0 || !isCalled(host, container)) return undefined;
  const address = addressOf(container, port, around);
  return 'why' in address ? undefined : address;
}

/**
 * A URL that a person set, which means this container: its name means nothing to the host's resolver, or something else, so its address
 * takes the place of the name. `isOwn`: what is at the URL is this container and nobody else; with TLS the name has to stay.
 */
export function urlOf(
  text: string,
  container: Located,
  port: number,
  around: Surroundings,
): { url: string; isOwn: boolean } {
  const url = new URL(text);
  const address = addressByName(hostOf(url), container, port, around);
  if (!address || sameHost(address.host, hostOf(url))) return { url: text, isOwn: true };
  if (url.protocol === 'https:') return { url: text, isOwn: false };
  url.hostname = family(address.host) === 6 ? `[${address.host}]` : address.host;
  url.port = String(address.port);
  return { url: url.href.replace(/\/$/, ''), isOwn: true };
}

/** The host of a URL, an IPv6 address without its brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}

/** http://host:port, with brackets where they belong. */
export function toUrl(protocol: 'http' | 'https', { host, port }: { host: string; port: number }): string {
  return `${protocol}://${family(host) === 6 ? `[${host}]` : host}:${port}`;
}

/** 4 or 6 for an IP address, 0 for a name. */
export function family(host: string): 0 | 4 | 6 {
  if (host.includes(':')) return 6;
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(host) ? 4 : 0;
}
