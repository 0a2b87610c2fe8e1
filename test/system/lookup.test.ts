import dns from 'node:dns';
import { createSocket, type Socket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { httpRequest } from '../../src/system/http/http.ts';
import { guardLookups } from '../../src/system/lookup.ts';

const systems = dns.lookup;
let server: Socket | undefined;
afterEach(() => {
  dns.lookup = systems;
  server?.close();
  server = undefined;
});

/** A name server that says nothing, or that there is no such name. */
async function nameServer(answers: boolean): Promise<string> {
  const socket = createSocket('udp4');
  server = socket;
  if (answers)
    socket.on('message', (query, from) => {
      const answer = Buffer.from(query);
      answer.writeUInt16BE(0x8183, 2); // Response, recursion available, NXDOMAIN.
      socket.send(answer, from.port, from.address);
    });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return `127.0.0.1:${socket.address().port}`;
}

/** Stands in for the system's look-up, which would hang here. */
function countLookups(): () => number {
  let asked = 0;
  dns.lookup = ((name: string, ...rest: unknown[]) => {
    // The test's own name server binds and sends to addresses.
    if (name === '127.0.0.1') return (systems as (...args: unknown[]) => void)(name, ...rest);
    asked += 1;
    (rest.at(-1) as (error: Error) => void)(Object.assign(new Error('x'), { code: 'ENOTFOUND' }));
  }) as unknown as typeof dns.lookup;
  return () => asked;
}

describe('R7: a name server that does not answer', () => {
  it('holds up a connection for a bounded time, and never blocks a thread that the process has to wait for', async () => {
    const asked = countLookups();
    guardLookups({ servers: [await nameServer(false)], timeoutMs: 100 });
    await expect(httpRequest({ url: 'http://telegram.hangs.example/', timeoutMs: 20_000 })).rejects.toThrow(
      'telegram.hangs.example could not be looked up: the name server does not answer',
    );
    expect(asked()).toBe(0);
  });

  it('costs nothing for addresses, loopback names and those of the hosts file', async () => {
    const asked = countLookups();
    guardLookups({ servers: [await nameServer(false)], timeoutMs: 60_000 });
    for (const name of ['localhost', 'app.localhost', '192.0.2.1', '::1'])
      await new Promise((resolve) => dns.lookup(name, resolve));
    expect(asked()).toBe(4);
  });

  it('that answers, if only that it knows no such name, leaves the rest to the system', async () => {
    const asked = countLookups();
    guardLookups({ servers: [await nameServer(true)], timeoutMs: 60_000 });
    await expect(httpRequest({ url: 'http://redis.unknown/', timeoutMs: 200_000 })).rejects.toThrow(
      'is not known to the name server',
    );
    expect(asked()).toBe(1);
  });

  it('is not waited for where there is none at all', async () => {
    const asked = countLookups();
    const address = await nameServer(true);
    server?.close();
    server = undefined;
    guardLookups({ servers: [address] });
    await expect(httpRequest({ url: 'http://redis.unknown/', timeoutMs: 20_000 })).rejects.toThrow();
    expect(asked()).toBe(1);
  });
});
