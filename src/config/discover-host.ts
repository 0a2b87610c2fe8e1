import { plain } from '../model/text.ts';
import { addressOf, calledBy, family, isOnHost } from './discover-address.ts';
import type { Surroundings } from './discover-address.ts';
import type { Candidate } from './discover-container.ts';

/** An address that works from where vpsmon stands, and the id of the container that it belongs to. */
export type Place = { host: string; port: number; container?: string };

/** Where n8n's word for a host leads, seen from vpsmon. `servers` are the recognised ones that it may mean. */
export function resolveHost(
  n8n: Candidate,
  host: string,
  port: number,
  servers: Candidate[],
  around: Surroundings,
): Place | { why: string } {
  const wanted = host.trim().toLowerCase();
  const self = n8n.at;
  const local = ['localhost', '127.0.0.1', '::1'].includes(wanted);
  const onHost = isOnHost(self);
  const asHost =
    around.self && !isOnHost(around.self) ? 'host.docker.internal' : (around.engineHost ?? '127.0.0.1');
  if ((local && onHost) || wanted === 'host.docker.internal') return { host: asHost, port };
  if (local)
    return (
      neighbour(n8n, port, servers, around) ?? { why: `${plain(host, 60)} means the container of n8n itself` }
    );
  const called = calledBy(wanted, self, around);
  if (called) {
    const address = addressOf(called, port, around);
    return 'why' in address ? address : { ...place(address), container: called.id };
  }
  if (family(wanted) !== 0 || wanted.includes('.')) return { host: wanted, port };
  // An alias is not told by Docker's list; where only one server stands in n8n's networks, it is that one.
  const near = servers.filter(
    ({ inspect, running }) =>
      running && Object.keys(inspect.networks).some((name) => Object.hasOwn(self.networks, name)),
  );
  const sole = near.length === 1 ? near[0] : undefined;
  if (!sole) return { why: `no running container is called ${plain(host, 60)}` };
  const address = addressOf(sole.at, port, around);
  return 'why' in address ? address : { ...place(address), container: sole.inspect.id };
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
  const address = addressOf(server.at, port, around);
  return 'why' in address ? undefined : { ...place(address), container: server.inspect.id };
}

function place({ host, port }: { host: string; port: number }): Place {
  return { host, port };
}
