import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import type * as Pg from 'pg';
import type { Client, QueryResult } from 'pg';
import type { PostgresAddress } from '../../model/targets.ts';
import { guardStream } from '../answer.ts';
import { createFrames, type Frames } from './frames.ts';

export type Row = Record<string, string | null>;
/** What can be asked within one transaction. */
export type Transaction = {
  /** One statement with parameters, or several without. Values arrive as PostgreSQL's own text. */
  run(sql: string, params?: unknown[]): Promise<Row[]>;
  /** One statement only, whatever semicolons are in it. */
  runOne(sql: string): Promise<Row[]>;
};
export type Session = {
  /**
   * Runs `work` in a read-only transaction that ends with `end`, each of its statements for at most `timeoutMs`. Nothing
   * is set beyond the transaction: behind a pooler, the connection to the server belongs to somebody else a moment later.
   */
  transaction(
    work: (transaction: Transaction) => Promise<Row[]>,
    timeoutMs: number,
    end: 'COMMIT' | 'ROLLBACK',
  ): Promise<Row[]>;
  alive(): boolean;
  /** Says goodbye to the server. */
  end(): Promise<void>;
  /** At once, in the middle of anything. */
  destroy(): void;
};

/** Settings of every transaction; those that a server does not know are left out. */
const LOCAL_SETTINGS: Record<string, string> = {
  lock_timeout: '500',
  idle_in_transaction_session_timeout: '10000',
  // Small queries on a small machine: compiling them or starting workers for them costs more than it brings.
  jit: 'off',
  max_parallel_workers_per_gather: '0',
};

/** PgBouncer's words (it speaks English only) for BEGIN under pool_mode=statement, after which it hangs up. SQLSTATE 08P01. */
export function isStatementPooling(error: unknown): boolean {
  return /not allowed in statement pooling mode/.test(String((error as Error | undefined)?.message));
}

/** Connects and logs in; the signal gives that up at once. Rejects with the errors of pg and the socket. */
export async function openSession(
  target: PostgresAddress,
  signal: AbortSignal,
  statementPooling = false,
): Promise<Session> {
  const login = (ssl: Tls) => logIn(target, ssl, signal, statementPooling);
  if (target.sslMode && !['allow', 'prefer'].includes(target.sslMode)) {
    return login(tlsOptions(target));
  }
  try {
    return await login(false);
  } catch (error) {
    if (!mayInsistOnTls(error)) throw error;
    return login({ rejectUnauthorized: false }).catch((second: unknown) => {
      // Without a SQLSTATE there was no TLS to be had: what the server said at first is the reason.
      throw sqlState(second) === undefined ? error : second;
    });
  }
}

type Tls = false | { rejectUnauthorized: boolean; ca?: string; checkServerIdentity?: () => undefined };

/** What libpq does for each sslmode. */
function tlsOptions(target: PostgresAddress): Tls {
  if (target.sslMode === 'disable' || target.host.startsWith('/')) return false;
  const ca = target.sslRootCert ? { ca: readFileSync(target.sslRootCert, 'utf8') } : {};
  if (target.sslMode === 'verify-full') return { rejectUnauthorized: true, ...ca };
  // `require` with an authority is `verify-ca`: libpq has kept that for old configurations.
  if (target.sslMode === 'verify-ca' || (target.sslMode === 'require' && target.sslRootCert)) {
    return { rejectUnauthorized: true, checkServerIdentity: () => undefined, ...ca };
  }
  return { rejectUnauthorized: false };
}

/**
 * 28000 is "no entry in pg_hba.conf ... no encryption", in whatever language the server speaks, and also "no such role";
 * 08P01 is PgBouncer's "SSL required". https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
function mayInsistOnTls(error: unknown): boolean {
  return ['28000', '08P01'].includes(sqlState(error) ?? '');
}

/** Five letters or digits of an error that the server sent; undefined for those of the socket. */
function sqlState(error: unknown): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code) ? code : undefined;
}

async function logIn(
  target: PostgresAddress,
  ssl: Tls,
  signal: AbortSignal,
  statementPooling: boolean,
): Promise<Session> {
  const { Client } = await loadPg();
  const socket = new Socket();
  const giveUp = () => socket.destroy();
  const client = new Client({
    host: target.host,
    port: target.port,
    user: target.user,
    // A function keeps pg from looking into PGPASSWORD and ~/.pgpass where there is no password.
    password: () => target.password,
    database: target.database,
    ssl,
    stream: () => socket,
    keepAlive: true,
    keepAliveInitialDelayMillis: 60_000,
    application_name: 'vpsmon',
    // Text as it came: this program parses the few numbers that it uses, and dates not at all.
    types: { getTypeParser: () => (value: unknown) => value },
  });
  const frames = guard(client);
  let alive = true;
  client.on('error', () => (alive = false));
  client.on('end', () => (alive = false));
  const session = sessionOf(client, socket, frames, () => alive, statementPooling);
  signal.addEventListener('abort', giveUp);
  try {
    signal.throwIfAborted();
    await client.connect();
  } catch (error) {
    session.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
  return session;
}

const KNOWN_SQL = 'SELECT name FROM pg_catalog.pg_settings WHERE name = ANY($1::text[])';

function sessionOf(
  client: Client,
  socket: Socket,
  frames: Frames,
  alive: () => boolean,
  statementPooling: boolean,
): Session {
  const run = async (query: { text: string; values?: unknown[]; queryMode?: 'extended' }): Promise<Row[]> => {
    frames.startAnswer();
    const result = (await client.query(query)) as QueryResult<Row> | QueryResult<Row>[];
    return Array.isArray(result) ? (result.at(-1)?.rows ?? []) : result.rows;
  };
  const transaction: Transaction = {
    run: (text, values) => run(values ? { text, values } : { text }),
    runOne: (text) => run({ text, queryMode: 'extended' }),
  };
  const isAlive = () => alive() && !socket.destroyed;
  let settings: string | undefined;
  return {
    async transaction(work, timeoutMs, end) {
      if (statementPooling) return work(alone(transaction, timeoutMs));
      let done = false;
      try {
        // One message: a pooler's server that is taken for it has its timeout from the first statement on.
        const begin = `BEGIN READ ONLY; SET LOCAL statement_timeout = ${timeoutMs}`;
        await transaction.run(settings === undefined ? begin : begin + settings);
        if (settings === undefined) {
          settings = localSettings(await transaction.run(KNOWN_SQL, [Object.keys(LOCAL_SETTINGS)]));
          await transaction.run(settings.slice(1));
        }
        const rows = await work(transaction);
        done = true;
        return rows;
      } finally {
        if (isAlive()) await transaction.run(done ? end : 'ROLLBACK').catch(() => socket.destroy());
      }
    },
    alive: isAlive,
    async end() {
      const ended = client.end().catch(() => {});
      const timer = setTimeout(() => socket.destroy(), 500);
      await ended;
      clearTimeout(timer);
      socket.destroy();
    },
    destroy() {
      socket.destroy();
    },
  };
}

/**
 * Where each statement may go to another server: several in one message are one transaction, which ends with it, whatever happens.
 * One with parameters cannot be sent like that; it goes alone, and leaves nothing behind.
 */
function alone({ run }: Transaction, timeoutMs: number): Transaction {
  const local = `SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = ${timeoutMs}; SET LOCAL lock_timeout = ${LOCAL_SETTINGS['lock_timeout']}`;
  return {
    run: (sql, params) => (params && params.length > 0 ? run(sql, params) : run(`${local}; ${sql}`)),
    runOne() {
      throw new Error('queries of vpsmon.yaml are not sent through a pooler with pool_mode=statement');
    },
  };
}

/** `; SET LOCAL a = 1; SET LOCAL b = off` */
function localSettings(known: Row[]): string {
  return known.map(({ name }) => `; SET LOCAL ${name} = ${LOCAL_SETTINGS[String(name)]}`).join('');
}

type Stream = Parameters<typeof guardStream>[0];

/** Lets pg's parser see only what is well-formed. */
function guard(client: Client): Frames {
  const frames = createFrames();
  const connection = (client as unknown as { connection: { attachListeners(stream: Stream): void } })
    .connection;
  const attach = connection.attachListeners.bind(connection);
  connection.attachListeners = (stream) => {
    guardStream(stream, frames.take, 'it does not speak PostgreSQL');
    attach(stream);
  };
  return frames;
}

let loading: Promise<typeof Pg> | undefined;

/**
 * pg asks globalThis.Response whether it runs on Cloudflare, and on Node 20 that loads undici with its WASM parser: 7 MB
 * for nothing. It does not ask where `navigator` exists, as it does from Node 21 on.
 */
function loadPg(): Promise<typeof Pg> {
  loading ??= withNavigator(() => import('pg'));
  return loading;
}

async function withNavigator<T>(load: () => Promise<T>): Promise<T> {
  if ('navigator' in globalThis) return load();
  const userAgent = `Node.js/${process.versions.node.split('.')[0]}`;
  Object.defineProperty(globalThis, 'navigator', { value: { userAgent }, configurable: true });
  try {
    return await load();
  } finally {
    Reflect.deleteProperty(globalThis, 'navigator');
  }
}
