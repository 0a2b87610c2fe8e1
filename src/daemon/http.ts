import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { parseListen } from '../config/listen.ts';

export type Pages = { health(): { status: number; body: unknown }; metrics(): string };

/**
 * Serves /health and /metrics. Nothing that changes anything: every method but GET and HEAD is refused.
 * Resolves when it listens; rejects with a plain sentence when the address is taken or not ours.
 */
export async function serveHttp(
  listen: string,
  pages: Pages,
): Promise<{ address: string; close(): Promise<void> }> {
  const { host, port } = parseListen(listen);
  const server = createServer(
    {
      requestTimeout: 10_000,
      headersTimeout: 5_000,
      keepAliveTimeout: 5_000,
      maxHeaderSize: 8192,
      // Node looks for late clients every 30 s by itself: half-open connections would block the page that long.
      connectionsCheckingInterval: 5_000,
    },
    (request, response) => answer(request, response, pages),
  );
  server.maxConnections = 32;
  // A client that asks on and on without reading would have us keep every answer for it in memory.
  server.maxRequestsPerSocket = 8;
  await listenOn(server, host, port);
  const bound = server.address();
  const actual = typeof bound === 'object' && bound ? bound.port : port;
  return {
    address: `${host.includes(':') ? `[${host}]` : host}:${actual}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listenOn(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'EADDRINUSE'
          ? 'another program listens there'
          : error.code === 'EACCES'
            ? 'not allowed (ports below 1024 need root)'
            : error.code === 'EADDRNOTAVAIL'
              ? 'this machine does not have that address'
              : error.message;
      reject(new Error(`HTTP_LISTEN=${host}:${port} cannot be used: ${why}`));
    });
    server.listen(port, host, () => {
      server.on('error', () => undefined);
      resolve();
    });
  });
}

function answer(request: IncomingMessage, response: ServerResponse, pages: Pages): void {
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    return send(request, response, 405, 'text/plain; charset=utf-8', 'Only GET is answered here.\n');
  }
  const path = (request.url ?? '/').split('?', 1)[0];
  try {
    if (path === '/health') {
      const { status, body } = pages.health();
      return send(request, response, status, 'application/json; charset=utf-8', `${JSON.stringify(body)}\n`);
    }
    if (path === '/metrics') {
      return send(request, response, 200, 'text/plain; version=0.0.4; charset=utf-8', pages.metrics());
    }
  } catch {
    return send(
      request,
      response,
      500,
      'text/plain; charset=utf-8',
      'vpsmon could not make this page; its log says why.\n',
    );
  }
  send(request, response, 404, 'text/plain; charset=utf-8', 'There is /health and /metrics.\n');
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  type: string,
  body: string,
): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  response.end(request.method === 'HEAD' ? undefined : body);
}
