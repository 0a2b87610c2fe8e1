// A unix socket in front of another one whose connections can be cut at any moment, also in the middle of a line.
import { createServer, connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { rmSync } from 'node:fs';

export type CuttingProxy = {
  socket: string;
  /** How many connections were cut. */
  readonly cuts: number;
  /** Cuts every connection now; `half`: after a part of the next chunk that the engine sends. */
  cut(half?: boolean): void;
  /** Refuses (true) or takes connections. */
  refuse(on: boolean): void;
  close(): Promise<void>;
};

export async function startCuttingProxy(target: string, socket: string): Promise<CuttingProxy> {
  const pairs = new Set<{ client: Socket; engine: Socket; half: boolean }>();
  let cuts = 0;
  let refusing = false;
  const server = createServer((client) => {
    if (refusing) {
      client.destroy();
      return;
    }
    const engine = connect(target);
    const pair = { client, engine, half: false };
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      client.destroy();
      engine.destroy();
    };
    client.on('data', (chunk: Buffer) => engine.write(chunk));
    engine.on('data', (chunk: Buffer) => {
      if (!pair.half) {
        client.write(chunk);
        return;
      }
      cuts += 1;
      client.write(chunk.subarray(0, Math.floor(Math.random() * chunk.length)), end);
    });
    for (const side of [client, engine]) {
      side.on('error', end);
      side.on('close', end);
    }
  });
  rmSync(socket, { force: true });
  server.listen(socket);
  await once(server, 'listening');
  return {
    socket,
    get cuts() {
      return cuts;
    },
    cut(half = false) {
      for (const pair of pairs) {
        if (half) {
          pair.half = true;
          continue;
        }
        cuts += 1;
        pair.client.destroy();
        pair.engine.destroy();
      }
    },
    refuse(on) {
      refusing = on;
    },
    async close() {
      for (const { client, engine } of pairs) {
        client.destroy();
        engine.destroy();
      }
      server.close();
      await once(server, 'close').catch(() => {});
    },
  };
}
