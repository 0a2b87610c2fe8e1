// A unix socket in front of a real engine that shows every call before it is passed on, and again before it is answered.
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { rmSync } from 'node:fs';
import { once } from 'node:events';

export type GateCall = { method: string; path: string };
export type DockerGate = {
  dockerHost: string;
  /** `POST /containers/web/stop` of everything that changes something, in order. */
  changes: string[];
  before?: (call: GateCall) => void | Promise<void>;
  after?: (call: GateCall & { status: number }) => void | Promise<void>;
  close(): Promise<void>;
};

export async function startDockerGate(engineSocket: string, socket: string): Promise<DockerGate> {
  const server = createServer((incoming, outgoing) => {
    pass(incoming, outgoing).catch(() => outgoing.destroy());
  });
  const gate: DockerGate = {
    dockerHost: `unix://${socket}`,
    changes: [],
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close').catch(() => {});
    },
  };

  async function pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const call = {
      method: incoming.method ?? '',
      path: (incoming.url ?? '').replace(/^\/v[\d.]+/, '').replace(/\?.*/, ''),
    };
    await gate.before?.(call);
    if (call.method !== 'GET') gate.changes.push(`${call.method} ${call.path}`);
    const upstream = request({
      socketPath: engineSocket,
      method: call.method,
      path: incoming.url,
      headers: incoming.headers,
    });
    incoming.pipe(upstream);
    const [answer] = (await once(upstream, 'response')) as [IncomingMessage];
    const status = answer.statusCode ?? 500;
    await gate.after?.({ ...call, status });
    outgoing.writeHead(status, answer.headers);
    answer.pipe(outgoing);
  }

  rmSync(socket, { force: true });
  server.listen(socket);
  await once(server, 'listening');
  return gate;
}
