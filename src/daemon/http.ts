import { safeJson } from '../model/invisible.ts';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type ListenOptions, type Socket, isIP, isIPv4 } from 'node:net';
import { hostname } from 'node:os';
import { parseListen } from '../config/parse-value.ts';
import { makeSocketPrivate, removeSocketFile } from '../system/state-files.ts';

export type Pages = { health(): { status: number; body: unknown }; metrics(): string };

/** A server, and the address by which it is asked. */
export type Served = { address: string; close(): Promise<void> };

/** Above this many connections the oldest ones go, unless they are young: an honest client is answered within milliseconds. */
const MOST_CONNECTIONS = 64;
const YOUNG_MS = 1000;
/** Above this many the oldest one goes whatever its age, far below the 1,024 files that a process may have open. */
const MOST_EVER = 256;

/**
 * Serves /health and /metrics on an address like `127.0.0.1:8080`. Nothing that changes anything: every method but GET and HEAD is
 * refused, and so is a Host header that is not this server's; `hosts` are further names that are.
 * Resolves when it listens; rejects with a plain sentence when the address is taken or not ours.
 */
export async function serveHttp(
  listen: string,
  pages: Pages,
  hosts: readonly string[] = [],
): Promise<Served> {
  const { host, port } = parseListen(listen);
  const machine = hostname();
  const server = createPageServer(pages, (header) => isAllowedHost(header, { host, hosts, machine }));
  await listenOn(server, { host, port }, (error) => `HTTP_LISTEN=${host}:${port} cannot be used: ${error}`);
  const bound = server.address();
  const actual = typeof bound === 'object' && bound ? bound.port : port;
  return {
    address: `${host.includes(':') ? `[${host}]` : host}:${actual}`,
    close: () => closeServer(server),
  };
}

/**
 * Serves the same pages on a socket in the state folder, for the other commands: any local user can listen on a port before the
 * monitor does, but only its owner can make a file there. The caller holds the lock of the folder, so a socket that is left is stale.
 */
export async function serveSocket(path: string, pages: Pages): Promise<Served> {
  const server = createPageServer(pages, () => true);
  removeSocketFile(path);
  await listenOn(server, { path }, (error) => `${path} cannot be used: ${error}`);
  makeSocketPrivate(path);
  return { address: path, close: () => closeServer(server) };
}

function createPageServer(pages: Pages, allowed: (host: string | undefined) => boolean): Server {
  const server = createServer(
    {
      requestTimeout: 10_000,
      headersTimeout: 5_000,
      keepAliveTimeout: 5_000,
      maxHeaderSize: 8192,
      // Node looks for late clients every 30 s by itself: half-open connections would block the page that long.
      connectionsCheckingInterval: 5_000,
    },
    (request, response) => answer(request, response, pages, allowed),
  );
  server.maxConnections = MOST_EVER + 1;
  server.timeout = 10_000;
  // A client that asks on and on without reading would have us keep every answer for it in memory.
  server.maxRequestsPerSocket = 8;
  dropSlowClients(server);
  return server;
}

/**
 * Whoever keeps a connection for long is slow, idle or hostile, and makes room for new ones: refusing those instead would let a few
 * hundred half-open connections hide the pages from everybody else.
 */
function dropSlowClients(server: Server): void {
  /** In the order of their arrival. */
  const since = new Map<Socket, number>();
  server.on('connection', (socket) => {
    since.set(socket, performance.now());
    socket.once('close', () => since.delete(socket));
    const [oldest] = since;
    if (!oldest || since.size <= MOST_CONNECTIONS) return;
    const [slow, at] = oldest;
    if (since.size <= MOST_EVER && performance.now() - at < YOUNG_MS) return;
    since.delete(slow);
    slow.destroy();
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

const WHY: Record<string, string> = {
  EADDRINUSE: 'another program listens there',
  EACCES: 'not allowed (ports below 1024 need root)',
  EADDRNOTAVAIL: 'this machine does not have that address',
};

function listenOn(server: Server, where: ListenOptions, sentence: (why: string) => string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new Error(sentence(WHY[error.code ?? ''] ?? error.message))),
    );
    server.listen(where, () => {
      server.on('error', () => undefined);
      resolve();
    });
  });
}

type Page = { status: number; type: string; body: string; headers?: Record<string, string> };

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  pages: Pages,
  allowed: (host: string | undefined) => boolean,
): void {
  // An answer that nobody reads stays in memory: whoever asks for the next one before that gets none.
  if (request.socket.writableLength > 0) return void request.socket.destroy();
  const { status, type, body, headers } = pageFor(request, pages, allowed);
  response.writeHead(status, {
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function pageFor(
  { method, url = '/', headersDistinct }: IncomingMessage,
  pages: Pages,
  allowed: (host: string | undefined) => boolean,
): Page {
  const { host = [] } = headersDistinct;
  if (host.length > 1 || !allowed(host[0]))
    return text(403, 'This host name is not answered here; HTTP_HOSTS adds names.');
  if (method !== 'GET' && method !== 'HEAD')
    return { ...text(405, 'Only GET is answered here.'), headers: { Allow: 'GET, HEAD' } };
  try {
    switch (url.split('?', 1)[0]) {
      case '/health': {
        const { status, body } = pages.health();
        return { status, type: 'application/json; charset=utf-8', body: `${safeJson(body)}\n` };
      }
      case '/metrics':
        return { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: pages.metrics() };
    }
  } catch {
    return text(500, 'vpsmon could not make this page; its log says why.');
  }
  return text(404, 'There is /health and /metrics.');
}

function text(status: number, line: string): Page {
  return { status, type: 'text/plain; charset=utf-8', body: `${line}\n` };
}

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
