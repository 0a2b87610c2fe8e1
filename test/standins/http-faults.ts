import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { freePort } from '../helpers/free-port.ts';

/** What is wrong with the whole server: it never answers, or answers the same to everything. */
export type Fault = 'hang' | 'garbage' | 'empty' | 'error' | 'cut';

export type Asked = {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: string;
};
export type Answer = { status: number; body?: unknown; html?: string };

export type FaultyServer = {
  port: number;
  url: string;
  asked: Asked[];
  /** Called before a request is dealt with, and after it was, before it is answered. For tests that break off right there. */
  before?: (asked: Asked) => void | Promise<void>;
  after?: (asked: Asked) => void | Promise<void>;
  fault: Fault | undefined;
  /** Connections are refused until `up`. */
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
};

/** Thrown by `before`: the request is not dealt with, and not answered. */
export const NOTHING = new Error('not dealt with');

/** An HTTP server on a free loopback port that keeps what it was asked, and can be broken in the usual ways. */
export async function startFaulty(handle: (asked: Asked) => Answer | Promise<Answer>): Promise<FaultyServer> {
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => void serve(request, response));
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  // Nobody else gets it while the server is down.
  const port = await freePort();
  const faulty: FaultyServer = {
    port,
    url: `http://127.0.0.1:${port}`,
    asked: [],
    fault: undefined,
    async down() {
      sockets.forEach((socket) => socket.destroy());
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
    up: () => new Promise((resolve) => server.listen(port, '127.0.0.1', resolve)),
    close: () => faulty.down(),
  };

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? '/', 'http://x');
    const asked: Asked = {
      method: request.method ?? '',
      path: decodeURIComponent(url.pathname),
      query: url.searchParams,
      headers: request.headers,
      body: Buffer.concat(chunks).toString(),
    };
    faulty.asked.push(asked);
    if (faulty.fault === 'hang') return;
    if (faulty.fault === 'cut') return void response.destroy();
    if (faulty.fault === 'empty') return void response.writeHead(200).end();
    if (faulty.fault === 'garbage') return void response.writeHead(200).end('<html>\u0000 not JSON {');
    if (faulty.fault === 'error')
      return void response.writeHead(500).end('{"message":"Internal server error"}');
    try {
      await faulty.before?.(asked);
    } catch (error) {
      if (error !== NOTHING) throw error;
      return void response.destroy();
    }
    const answer = await handle(asked);
    await faulty.after?.(asked);
    const html = answer.html !== undefined;
    response.writeHead(answer.status, {
      'Content-Type': html ? 'text/html' : 'application/json; charset=utf-8',
    });
    response.end(html ? answer.html : JSON.stringify(answer.body ?? {}));
  }

  await faulty.up();
  return faulty;
}
