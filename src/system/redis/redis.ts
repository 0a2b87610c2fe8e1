import { readFileSync } from 'node:fs';
import { isIP, type Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { Redis as Client, RedisOptions } from 'ioredis';
import type { RedisAddress } from '../../model/targets.ts';
import { errorText } from '../../model/text.ts';
import { AnswerError, guardStream, Explained, explained } from '../answer.ts';
import { createRedisFrames, type RedisFrames } from './frames.ts';
import type { Redis } from '../types.ts';

const CONNECT_MS = 2500;
const COMMAND_MS = 2000;
/** Who fails to connect is not called again for this long. */
const PAUSE_MS = 1000;
const PROBE_MS = 1000;

/** One connection: the client of ioredis, the check before its parser, and what the socket failed with. */
type Link = { client: Client; frames: RedisFrames; failed?: unknown };

/** A server, the connection to it, and why it failed last. */
type Server = {
  target: RedisAddress;
  address: string;
  link?: Link;
  connecting?: Promise<Link>;
  failed?: { at: number; error: Error };
  closed: boolean;
};

/**
 * One kept connection to Redis, Valkey or what speaks like them, opened by the first command and again after it broke;
 * never by a timer. Commands sent at the same time go out together. Errors are plain sentences without the password.
 */
export function openRedis(target: RedisAddress): Redis {
  const address = isPath(target) ? target.host : `${target.host}:${target.port}`;
  const server: Server = { target, address, closed: false };
  return {
    address: server.address,
    call: (command, ...args) =>
      call(server, command, args).catch((error: unknown) => {
        throw explain(server, error);
      }),
    async close() {
      server.closed = true;
      await server.connecting?.catch(() => {});
      if (server.link) hangUp(server.link.client);
      delete server.link;
    },
  };
}

async function call(server: Server, command: string, args: string[]): Promise<unknown> {
  const { link, kept } = await ready(server);
  try {
    return await ask(link, command, args);
  } catch (error) {
    if (isTimeout(error)) {
      hangUp(link.client);
      if (server.link === link) delete server.link;
    } else if (kept && !usable(link.client) && !(error instanceof AnswerError)) {
      // A kept connection that the server closed meanwhile is found out by using it: once more, with a new one.
      return ask((await ready(server)).link, command, args);
    }
    throw error;
  }
}

async function ready(server: Server): Promise<{ link: Link; kept: boolean }> {
  if (server.link && usable(server.link.client)) return { link: server.link, kept: true };
  if (server.closed) throw new Explained(`the connection to ${server.address} was closed`);
  server.connecting ??= connect(server).finally(() => delete server.connecting);
  return { link: await server.connecting, kept: false };
}

async function connect(server: Server): Promise<Link> {
  const { failed } = server;
  if (failed && performance.now() - failed.at < PAUSE_MS) throw failed.error;
  try {
    server.link = await login(server.target);
    delete server.failed;
    return server.link;
  } catch (cause) {
    const error = explain(server, cause);
    server.failed = { at: performance.now(), error };
    throw error;
  }
}

function explain({ target, address }: Server, error: unknown): Error {
  return explained(error, (cause, code) => sentence(cause, code, target, address));
}

function isPath({ host }: RedisAddress): boolean {
  return host.startsWith('/');
}

async function login(target: RedisAddress): Promise<Link> {
  const { Redis: RedisClient } = await import('ioredis');
  const client = new RedisClient(options(target));
  const link: Link = { client, frames: guard(client) };
  // Without a listener ioredis writes to the console; what matters arrives as the rejection of connect() or call().
  client.on('error', (error) => (link.failed = error));
  try {
    await client.connect();
    await authenticate(link, target);
    if (target.db !== 0) await ask(link, 'SELECT', [String(target.db)]);
    // After the login, and not by `connectionName`: ioredis sends that before it, and a server with a password refuses it.
    await ask(link, 'CLIENT', ['SETNAME', 'vpsmon']).catch((error: unknown) => {
      // A server without room, or in protected mode, says so to whoever connects, and that is taken for the answer to this.
      if (isTimeout(error) || !usable(client) || /max number of clients|^DENIED/.test(errorText(error)))
        throw error;
    });
    return link;
  } catch (error) {
    hangUp(client);
    const reason = reasonOf(error, link);
    if (isClosed(reason) && !target.tls && (await speaksTls(target))) throw new AnswerError(SPEAKS_TLS);
    throw reason;
  }
}

/** Lets ioredis' parser see only what is well-formed and was asked for. */
function guard(client: Client): RedisFrames {
  const frames = createRedisFrames();
  const { connector } = client as unknown as { connector: { connect(onError: unknown): Promise<Socket> } };
  const connect = connector.connect.bind(connector);
  connector.connect = async (onError) => {
    const socket = await connect(onError);
    guardStream(socket, frames.take, 'it does not speak Redis');
    return socket;
  };
  return frames;
}

async function ask(link: Link, command: string, args: string[]): Promise<unknown> {
  link.frames.ask();
  try {
    return await link.client.call(command, ...args);
  } catch (error) {
    throw reasonOf(error, link);
  }
}

/** "Connection is closed." says less than the error of the socket before it. */
function reasonOf(error: unknown, { failed }: Link): unknown {
  return isClosed(error) && failed !== undefined ? failed : error;
}

function isClosed(error: unknown): boolean {
  return /closed|ECONNRESET|EPIPE/i.test(errorText(error)) && !(error instanceof AnswerError);
}

/** Asked of a server that hangs up without a word; nothing is sent but the beginning of TLS. */
async function speaksTls({ host, port }: RedisAddress): Promise<boolean> {
  // Loaded here: an import of node:tls holds all root certificates as text, 0.2 MB.
  const { connect: connectTls } = await import('node:tls');
  return new Promise((resolve) => {
    const socket = connectTls({
      ...(host.startsWith('/') ? { path: host } : { host, port }),
      rejectUnauthorized: false,
    });
    const done = (speaks: boolean) => () => {
      resolve(speaks);
      socket.destroy();
    };
    socket.setTimeout(PROBE_MS, done(false));
    socket.once('secureConnect', done(true));
    // A server that wants a certificate of ours refuses in TLS' own words.
    socket.once('error', (error: { code?: string }) => done(/^ERR_SSL_.*ALERT/.test(error.code ?? ''))());
    socket.once('close', done(false));
  });
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
async function authenticate(link: Link, target: RedisAddress): Promise<void> {
  if (!target.password) return;
  const login = target.username ? [target.username, target.password] : [target.password];
  try {
    await ask(link, 'AUTH', login);
  } catch (error) {
    if (!/without any password|no password is set/.test(errorText(error))) throw error;
  }
}

function options(target: RedisAddress): RedisOptions & { replyMapping: 'legacy' } {
  return {
    ...(isPath(target) ? { path: target.host } : { host: target.host, port: target.port }),
    ...(target.tls && { tls: tlsOptions(target) }),
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

function tlsOptions({ host, tlsName = host, tlsCa }: RedisAddress): ConnectionOptions {
  return {
    // Addresses have no place in the TLS extension that names the server.
    ...(isIP(tlsName) === 0 && !tlsName.startsWith('/') ? { servername: tlsName } : {}),
    ...(tlsCa === undefined ? {} : { ca: readAuthority(tlsCa) }),
  };
}

function readAuthority(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Explained(`REDIS_TLS_CA: ${errorText(error)}`);
  }
}

function isTimeout(error: unknown): boolean {
  return /timed out/i.test(errorText(error));
}

const SPEAKS_TLS = 'it speaks TLS: write rediss:// in REDIS_URL';
/** https://docs.openssl.org/master/man1/openssl-verification-options/#diagnostics */
const UNTRUSTED =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|UNABLE_TO_VERIFY_LEAF_SIGNATURE|CERT_SIGNATURE_FAILURE)$/;

function sentence(error: unknown, code: string | undefined, target: RedisAddress, address: string): string {
  const text = errorText(error).replaceAll(target.password || '\u0000', '***');
  const at = `Redis at ${address}`;
  if (code === 'ECONNREFUSED' || code === 'ENOENT') return `nothing listens at ${address}`;
  if (code === 'EACCES' || code === 'EPERM') return `${at} may not be used by this user: run as root`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `the host name ${target.host} is not known here`;
  if (UNTRUSTED.test(code ?? ''))
    return `${at}: its certificate is of no known authority: set REDIS_TLS_CA to the file of its CA`;
  if (/ALERT_(CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE)|CERTIFICATE_REQUIRED/.test(code ?? ''))
    return `${at} wants a certificate of its clients, which vpsmon does not have (tls-auth-clients no lets it in with a password)`;
  if (/^(EPROTO|ERR_SSL_)/.test(code ?? '') || (target.tls && isClosed(error)))
    return `${at} does not speak TLS: write redis:// in REDIS_URL`;
  if (/WRONGPASS|invalid password/.test(text)) return `${at} refuses the password`;
  if (/NOAUTH/.test(text)) return `${at} asks for a password: set REDIS_PASSWORD`;
  if (code === 'ETIMEDOUT' || isTimeout(error))
    return `${at} did not answer in time${target.tls ? ', or does not speak TLS' : ''}`;
  if (isClosed(error)) return `${at} closed the connection without an answer`;
  return `${at}: ${text}`;
}
