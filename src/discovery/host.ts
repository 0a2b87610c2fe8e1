import { plain } from '../model/text.ts';
import { addressOf, family, isCalled, isOnHost, networkOwner, type Surroundings } from './address.ts';
import type { Candidate, Located } from './kind.ts';
import { sole } from './trust.ts';

/** An address that works from where vpsmon stands, and the id of the container that it belongs to. */
export type Place = { host: string; port: number; container?: string };

/** An address that a person set: it may be used although no container has it. */
export type Named = { host?: string; port?: number };
/** What n8n may mean: the recognised servers of that kind, the port inside each, and what a person set for the kind. */
export type Servers = { of: Candidate[]; portOf: (server: Candidate) => number; named: Named };

/**
 * Where n8n's word for a host leads, seen from vpsmon. It counts only where it leads to another container that shares a network with
 * n8n, or where a person set the same address: what a container's environment says never points vpsmon at the host itself or
 * at another machine.
 */
export function resolveHost(
  n8n: Candidate,
  host: string,
  port: number,
  servers: Servers,
  around: Surroundings,
): Place | { why: string } {
  const asked = host.trim().toLowerCase();
  const { hosts = {} } = n8n.inspect;
  const given = Object.hasOwn(hosts, asked) ? hosts[asked]?.toLowerCase() : asked;
  const wanted = given === 'host-gateway' ? 'host.docker.internal' : (given ?? asked);
  const { named } = servers;
  const self = networkOwner(n8n.at, around);
  const local = ['localhost', '127.0.0.1', '::1'].includes(wanted);
  if (local && !isOnHost(self)) {
    const why = `${shown(host)} means the container of n8n itself`;
    return neighbour(n8n, port, servers.of, around) ?? { why };
  }
  if (local || wanted === 'host.docker.internal') {
    const why = `${shown(host)} is the host itself, which is not asked because a container says so`;
    return onThisHost(self, port, servers, around) ?? { why };
  }
  const called = around.all.filter(
    (one) =>
      one.id !== n8n.at.id &&
      shareNetwork(one, self, around) &&
      // In the host's network there are no names, and any port is the host's own.
      !isOnHost(networkOwner(one, around)) &&
      isCalled(wanted, one),
  );
  const one = sole(called);
  if (one) return at(one, port, around);
  if (called.length > 1) return { why: `${called.length} containers are called ${shown(host)}` };
  if (named.host?.toLowerCase() === asked && (named.port ?? port) === port) return { host: asked, port };
  if (family(wanted) === 0 && !wanted.includes('.'))
    return { why: `no running container is called ${shown(host)}` };
  return { why: `${shown(host)} is none of the containers in n8n's networks` };
}

/** The one server in n8n's networks that listens on that port of the host, or what a person set for this host. */
function onThisHost(
  self: Located,
  port: number,
  { of, portOf, named }: Servers,
  around: Surroundings,
): Place | { why: string } | undefined {
  const there = sole(
    of.filter(
      (one) => one.running && shareNetwork(one.at, self, around) && listensOnHost(one, port, portOf, around),
    ),
  );
  const own = there && (isOnHost(there.at) ? port : privatePort(there.at, port));
  if (there && own !== undefined) return at(there.at, own, around);
  if (named.host === undefined || (named.port ?? port) !== port) return undefined;
  return isThisHost(named.host, around) ? { host: named.host, port } : undefined;
}

/** A container's word for a host, where it can be one: a line that lost its end may hold a password. */
function shown(host: string): string {
  return /^[\w.:[\]-]{1,100}$/.test(host) ? plain(host, 60) : 'what is no name of a host';
}

/** Whether what a person set means the host on which n8n runs: loopback does where vpsmon itself runs there, not in a container. */
function isThisHost(host: string, { self, engineHost }: Surroundings): boolean {
  if (engineHost !== undefined) return false;
  if (host.toLowerCase() === 'host.docker.internal') return true;
  return ['localhost', '127.0.0.1', '::1'].includes(host.toLowerCase()) && (!self || isOnHost(self));
}

function shareNetwork(a: Located, b: Located, around: Surroundings): boolean {
  const { networks } = networkOwner(b, around);
  return Object.keys(networkOwner(a, around).networks).some((name) => Object.hasOwn(networks, name));
}

function listensOnHost(
  one: Candidate,
  port: number,
  portOf: Servers['portOf'],
  around: Surroundings,
): boolean {
  if (isOnHost(networkOwner(one.at, around))) return one.byImage && portOf(one) === port;
  return privatePort(one.at, port) !== undefined;
}

/** The port inside that is published as this one. */
function privatePort({ ports }: Located, port: number): number | undefined {
  return ports.find(({ publicPort, type }) => publicPort === port && type === 'tcp')?.privatePort;
}

function at(container: Located, port: number, around: Surroundings): Place | { why: string } {
  const address = addressOf(container, port, around);
  if ('why' in address) return address;
  return { host: address.host, port: address.port, container: container.id };
}

/** A server that shares n8n's network namespace (`network_mode: service:...`, a pod). */
function neighbour(
  n8n: Candidate,
  port: number,
  servers: Candidate[],
  around: Surroundings,
): Place | undefined {
  const spaceOf = ({ inspect }: Candidate) =>
    /^container:(.+)$/.exec(inspect.hostConfig.networkMode)?.[1] ?? inspect.id;
  const server = servers.find((one) => one.running && spaceOf(one) === spaceOf(n8n));
  if (!server) return undefined;
  const found = at(server.at, port, around);
  return 'why' in found ? undefined : found;
}
