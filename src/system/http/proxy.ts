import { isIP } from 'node:net';

/** Loopback, private, shared (RFC 6598) and link-local addresses: what stands on this server or beside it is never asked for through a proxy. */
const NEAR =
  /^(?:127\.|10\.|192\.168\.|169\.254\.|172\.(?:1[6-9]|2\d|3[01])\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|0\.0\.0\.0$|::1$|::ffff:|f[cd]|fe[89ab])/i;

/** True where the environment names a proxy for this URL and the host is a public one. NO_PROXY is looked at later. */
export function wantsProxy(url: URL, env: NodeJS.ProcessEnv): boolean {
  const proxy =
    url.protocol === 'https:'
      ? (env['https_proxy'] ?? env['HTTPS_PROXY'])
      : (env['http_proxy'] ?? env['HTTP_PROXY']);
  if (!proxy) return false;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host)) return !NEAR.test(host);
  return host.includes('.') && host !== 'localhost' && !host.endsWith('.localhost');
}
