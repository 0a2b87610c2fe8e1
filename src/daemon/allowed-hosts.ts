import { isIP, isIPv4 } from 'node:net';

/**
 * Whether a request with this Host header is answered. A page in somebody's browser can make a name of its own point at
 * 127.0.0.1 ("DNS rebinding") and read what a server there answers; its requests carry that name, and only that gives them away.
 *
 * Listening on loopback: loopback names and addresses. Listening on one address: that one, too. Listening on all of them: every
 * address, for none can be rebound; the names of this machine; and names without a dot, which only a local network gives out
 * (`vpsmon:8080` of Compose). Names in HTTP_HOSTS are answered everywhere. Without the header: HTTP/1.0, which no browser speaks.
 */
export function isAllowedHost(
  header: string | undefined,
  listen: { host: string; hosts: readonly string[]; machine: string },
): boolean {
  if (header === undefined) return true;
  const name = hostOf(header);
  if (name === undefined) return false;
  if (isLoopback(name) || isLoopbackName(name)) return true;
  const own = hostOf(listen.host);
  if (name === own) return true;
  if (listen.hosts.some((host) => hostOf(host) === name)) return true;
  if (own !== '0.0.0.0' && own !== '::') return false;
  return !name.includes('.') || isIP(name) !== 0 || name === hostOf(listen.machine);
}

/** The host of `host:port` in its one spelling, an IPv6 address without its brackets. Undefined: no host at all. */
function hostOf(header: string): string | undefined {
  if (!/^[a-z0-9.:[\]_-]{1,255}$/i.test(header)) return undefined;
  // Node's pattern for IPv6 takes 0.1 MB from the first time it is tried on.
  const text = header.split(':').length > 2 && isIP(header) === 6 ? `[${header}]` : header;
  if (!URL.canParse(`http://${text}/`)) return undefined;
  return new URL(`http://${text}/`).hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
}

function isLoopback(name: string): boolean {
  // ::ffff:7f00:1 is how a URL spells ::ffff:127.0.0.1.
  return name === '::1' || (isIPv4(name) && name.startsWith('127.')) || /^::ffff:7f[0-9a-f]{2}:/.test(name);
}

function isLoopbackName(name: string): boolean {
  return /^(?:localhost|.+\.localhost|ip6-localhost|ip6-loopback)$/.test(name);
}
