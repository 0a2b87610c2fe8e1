import { createServer } from 'node:net';
import type { Socket } from 'node:net';

export type TcpServer = { port: number; connections(): number; close(): Promise<void> };

/** Accepts everything; says `greeting` to whoever comes and `answer` to whatever is sent. Without both it stays silent. */
export async function startTcp(
  options: { greeting?: Buffer | string; answer?: Buffer | string } = {},
): Promise<TcpServer> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', () => options.answer !== undefined && socket.write(options.answer));
    if (options.greeting !== undefined) socket.write(options.greeting);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    connections: () => connections,
    async close() {
      sockets.forEach((socket) => socket.destroy());
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
