import { errorText } from '../../model/text.ts';
import { Late, within, explained } from '../answer.ts';
import { isStatementPooling, openSession, type Row, type Session, type Transaction } from './session.ts';
import type { PostgresAddress } from '../../model/targets.ts';
import type { Postgres } from '../types.ts';

const CONNECT_MS = 2500;
const STATEMENT_MS = 2000;
/** The server cancels at its statement_timeout; a server that does not even do that is hung up on this much later. */
const GRACE_MS = 700;
/** For waiting, connecting and the query together: below the 5 s that a source has. */
const TOTAL_MS = 4700;
/** Who fails to connect is not called again for this long; callers that wait in line get the same answer. */
const PAUSE_MS = 1000;
const MAX_ROWS = 1000;
/** SQLSTATE: connection exceptions, shut down, crash of another backend, starting up. */
const SERVER_LEFT = /^(08|57P0)/;

/** A server, the connection to it, and what is known of both. */
type Server = {
  target: PostgresAddress;
  /** `host:port`, or the folder of its socket. */
  address: string;
  session?: Session;
  failed?: { at: number; error: Error };
  /** The last query of those that wait for each other. */
  line: Promise<unknown>;
  closed: boolean;
  /** Behind a pooler that knows no transactions. */
  statementPooling: boolean;
};
type Work = (session: Session, timeoutMs: number) => Promise<Row[]>;

/**
 * One kept connection, every query in a read-only transaction of its own. It is opened by the first query and again after it broke; never by a timer. Queries
 * wait for each other. Errors are plain sentences without the password.
 */
export function openPostgres(target: PostgresAddress): Postgres {
  const address = target.host.startsWith('/') ? target.host : `${target.host}:${target.port}`;
  const line = Promise.resolve();
  const server: Server = { target, address, line, closed: false, statementPooling: false };
  return {
    address,
    query: (sql, params = [], timeoutMs = STATEMENT_MS) =>
      queued(
        server,
        (session, ms) => session.transaction(({ run }) => run(sql, params), ms, 'COMMIT'),
        timeoutMs,
      ),
    readOnly: (sql, timeoutMs = STATEMENT_MS) =>
      queued(
        server,
        // Rolled back: what a stranger's statement may have set goes with it.
        (session, ms) =>
          session.transaction((transaction) => throughCursor(transaction, sql), ms, 'ROLLBACK'),
        timeoutMs,
      ),
    async close() {
      server.closed = true;
      await server.session?.end();
      delete server.session;
    },
  };
}

function queued(server: Server, work: Work, timeoutMs: number): Promise<Row[]> {
  const deadline = performance.now() + TOTAL_MS;
  const mine = server.line.then(() => {
    if (performance.now() > deadline) throw new Error(`${server.address} was busy with other queries`);
    return ask(server, work, Math.max(1, Math.round(timeoutMs)), deadline);
  });
  server.line = mine.catch(() => {});
  return mine;
}

async function ask(server: Server, work: Work, timeoutMs: number, deadline: number): Promise<Row[]> {
  const kept = server.session;
  try {
    return await attempt(server, work, timeoutMs, deadline);
  } catch (error) {
    // A kept connection that the server closed meanwhile is found out by using it: once more, with a new one.
    if (SERVER_LEFT.test(String((error as { code?: string }).code))) server.session?.destroy();
    const refusesTransactions = !server.statementPooling && isStatementPooling(error);
    if (refusesTransactions) {
      server.statementPooling = true;
      server.session?.destroy();
    }
    const stale = kept !== undefined && kept === server.session && !kept.alive() && !(error instanceof Late);
    if ((!stale && !refusesTransactions) || server.closed) throw explain(server, error);
  }
  return attempt(server, work, timeoutMs, deadline).catch((error: unknown) => {
    throw explain(server, error);
  });
}

async function attempt(server: Server, work: Work, timeoutMs: number, deadline: number): Promise<Row[]> {
  const session = await connected(server, deadline);
  const patience = Math.min(timeoutMs + GRACE_MS, deadline - performance.now());
  return within(work(session, timeoutMs), patience, () => session.destroy());
}

async function connected(server: Server, deadline: number): Promise<Session> {
  const { target, address, failed, statementPooling } = server;
  if (server.session?.alive()) return server.session;
  if (server.closed) throw new Error(`the connection to ${address} was closed`);
  if (failed && performance.now() - failed.at < PAUSE_MS) throw failed.error;
  const giveUp = new AbortController();
  const patience = Math.min(CONNECT_MS, deadline - performance.now());
  try {
    const opening = openSession(target, giveUp.signal, statementPooling);
    server.session = await within(opening, patience, () => giveUp.abort());
  } catch (cause) {
    const error = explain(server, cause);
    server.failed = { at: performance.now(), error };
    throw error;
  }
  delete server.failed;
  if (server.closed) await server.session.end();
  return server.session;
}

function explain({ target, address }: Server, error: unknown): Error {
  return explained(error, (cause, code) => sentence(cause, code, target, address));
}

/** A cursor takes only what reads, takes it alone, and need not be read to its end. */
async function throughCursor({ run, runOne }: Transaction, sql: string): Promise<Row[]> {
  await run('SET LOCAL cursor_tuple_fraction = 1');
  await runOne(`DECLARE vpsmon_metric NO SCROLL CURSOR FOR ${sql}`);
  const rows = await run(`FETCH ${MAX_ROWS + 1} FROM vpsmon_metric`);
  if (rows.length > MAX_ROWS) throw new Error(`the query answers more than ${MAX_ROWS} rows`);
  return rows;
}

function sentence(
  error: unknown,
  code: string | undefined,
  target: PostgresAddress,
  address: string,
): string {
  const text = errorText(error).replaceAll(target.password || '\u0000', '***');
  switch (code) {
    case 'ECONNREFUSED':
    case 'ENOENT':
      if ((error as { syscall?: string }).syscall !== 'connect') return `PostgreSQL at ${address}: ${text}`;
      return `nothing listens at ${address}`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the host name ${target.host} is not known here`;
    case '28P01':
      return `PostgreSQL at ${address} refuses the password of user ${target.user}`;
    case '57014':
      return `PostgreSQL at ${address} took too long: ${text}`;
    case '53300':
      return `PostgreSQL at ${address} refuses new connections, all are taken: ${text}`;
    default:
      return `PostgreSQL at ${address}: ${text}`;
  }
}
