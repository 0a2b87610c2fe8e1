import type { Socket } from 'node:net';
import type { Redis as Client, RedisOptions } from 'ioredis';
import { errorText } from '../model/text.ts';
import type { Redis } from './types.ts';

export type RedisAddress = {
  host: string;
  port: number;
  password: string;
  username?: string;
  db: number;
  tls: boolean;
};

const CONNECT_MS = 2500;
const COMMAND_MS = 2000;
/** Who fails to connect is not called again for this long. */
const PAUSE_MS = 1000;

/**
 * One kept connection to Redis, Valkey or what speaks like them, opened by the first command and again after it broke;
 * never by a timer. Commands sent at the same time go out together. Errors are plain sentences without the password.
 */
export function openRedis(target: RedisAddress): Redis {
  const address = `${target.host}:${target.port}`;
  let client: Client | undefined;
  let connecting: Promise<Client> | undefined;
  let failed: { at: number; error: Error } | undefined;

  async function connect(): Promise<Client> {
    if (failed && performance.now() - failed.at < PAUSE_MS) throw failed.error;
    try {
      client = await login(target);
      failed = undefined;
      return client;
    } catch (error) {
      failed = { at: performance.now(), error: explained(error, target, address) };
      throw failed.error;
    }
  }

  async function ready(): Promise<{ current: Client; kept: boolean }> {
    if (client && usable(client)) return { current: client, kept: true };
    connecting ??= connect().finally(() => (connecting = undefined));
    return { current: await connecting, kept: false };
  }

  async function call(command: string, args: string[]): Promise<unknown> {
    const { current, kept } = await ready();
    try {
      return await current.call(command, ...args);
    } catch (error) {
      if (isTimeout(error)) {
        hangUp(current);
        if (client === current) client = undefined;
      } else if (kept && !usable(current)) {
        // A kept connection that the server closed meanwhile is found out by using it: once more, with a new one.
        return (await ready()).current.call(command, ...args);
      }
      throw error;
    }
  }

  return {
    address,
    call: (command, ...args) =>
      call(command, args).catch((error: unknown) => {
        throw explained(error, target, address);
      }),
    async close() {
      await connecting?.catch(() => {});
      if (client) hangUp(client);
      client = undefined;
    },
  };
}

async function login(target: RedisAddress): Promise<Client> {
  const { Redis: RedisClient } = await import('ioredis');
  const client = new RedisClient(options(target));
  let said: unknown;
  // Without a listener ioredis writes to the console; what matters arrives as the rejection of connect() or call().
  client.on('error', (error) => (said = error));
  try {
    await client.connect();
    await authenticate(client, target);
    if (target.db !== 0) await client.call('SELECT', String(target.db));
    // After the login, and not by `connectionName`: ioredis sends that before it, and a server with a password refuses it.
    await client.call('CLIENT', 'SETNAME', 'vpsmon').catch((error: unknown) => {
      if (isTimeout(error)) throw error;
    });
    return client;
  } catch (error) {
    hangUp(client);
    // "Connection is closed." says less than the error of the socket before it.
    throw /closed/i.test(errorText(error)) && said ? said : error;
  }
}

/** Between the server's goodbye and the end of the socket, the status is still `ready`. */
function usable(client: Client): boolean {
  return client.status === 'ready' && socketOf(client)?.writable !== false;
}

function socketOf(client: Client): Socket | undefined {
  return (client as unknown as { stream?: Socket }).stream;
}

/** disconnect() alone waits for a goodbye that a frozen server never says. */
function hangUp(client: Client): void {
  client.disconnect();
  socketOf(client)?.destroy();
}

/** A password that the server does not ask for does no harm. ioredis would write that to the console, so this logs in itself. */
async function authenticate(client: Client, target: RedisAddress): Promise<void> {
  if (!target.password) return;
  const login = target.username ? [target.username, target.password] : [target.password];
  try {
    await client.call('AUTH', login);
  } catch (error) {
    if (!/without any password|no password is set/.test(errorText(error))) throw error;
  }
}

function options(target: RedisAddress): RedisOptions & { replyMapping: 'legacy' } {
  return {
    host: target.host,
    port: target.port,
    ...(target.tls && { tls: {} }),
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    commandTimeout: COMMAND_MS,
    // Reconnecting is done by the next command, not by a timer in the background.
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    disableClientInfo: true,
    // RESP2 is spoken by everything since Redis 1.2; HELLO is not.
    protocol: 2,
    replyMapping: 'legacy',
    keepAlive: 60_000,
  };
}

function isTimeout(error: unknown): boolean {
  return /timed out/i.test(errorText(error));
}

/** One plain sentence that says what a person can do something about. Keeps `code`. */
function explained(error: unknown, target: RedisAddress, address: string): Error {
  if (error instanceof Explained) return error;
  const code = (error as { code?: string } | undefined)?.code;
  return new Explained(sentence(error, code, target, address), code);
}

class Explained extends Error {
  readonly code: string | undefined;
  constructor(text: string, code: string | undefined) {
    super(text);
    this.code = code;
  }
}

function sentence(error: unknown, code: string | undefined, target: RedisAddress, address: string): string {
  const text = errorText(error).replaceAll(target.password || '\u0000', '***');
  if (code === 'ECONNREFUSED' || code === 'ENOENT') return `nothing listens at ${address}`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `the host name ${target.host} is not known here`;
  if (/WRONGPASS|invalid password/.test(text)) return `Redis at ${address} refuses the password`;
  if (/NOAUTH/.test(text)) return `Redis at ${address} asks for a password: set REDIS_PASSWORD`;
  if (code === 'ETIMEDOUT' || isTimeout(error)) return `Redis at ${address} did not answer in time`;
  return `Redis at ${address}: ${text}`;
}
