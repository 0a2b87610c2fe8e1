import { createServer } from 'node:net';

/** Below the ports that Linux gives to outgoing connections (32768 and up, ip_local_port_range): one of those may be taken at any moment. */
const [FIRST, COUNT] = [15_000, 17_000];

/** A loopback port that nobody uses at this moment, and that no outgoing connection takes until it is used. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
