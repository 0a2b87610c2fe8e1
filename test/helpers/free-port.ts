import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that Linux gives to outgoing connections (32768 and up, ip_local_port_range): one of those may be taken at any moment. */
const [FIRST, COUNT] = [15_000, 17_000];

/**
 * A loopback port on which nobody listens, that no outgoing connection takes, and that is given to no other test of this machine while this
 * process lives: until its server is up, between two starts of it, and where nobody is to listen at all.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if ((await reserve(port)) && (await isFree(port))) return port;
  }
}

/** The number is reserved by the UDP port of the same number, which the kernel gives back however this process ends. */
async function reserve(port: number): Promise<boolean> {
  const socket = createSocket('udp4').unref();
  socket.bind({ port, address: '127.0.0.1', exclusive: true });
  const bound = await once(socket, 'listening').then(
    () => true,
    () => false,
  );
  if (!bound) socket.close();
  return bound;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
