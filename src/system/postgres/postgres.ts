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

/**
 * One kept connection, every query in a read-only transaction of its own. It is opened by the first query and again after it broke; never by a timer. Queries
 * wait for each other. Errors are plain sentences without the password.
 */
export function openPostgres(target: PostgresAddress, options: { applicationName: string }): Postgres {
  const address = target.host.startsWith('/') ? target.host : `${target.host}:${target.port}`;
  const explain = (error: unknown) =>
    explained(error, (cause, code) => sentence(cause, code, target, address));
  let session: Session | undefined;
  let failed: { at: number; error: Error } | undefined;
  let line: Promise<unknown> = Promise.resolve();
  let closed = false;
  /** Behind a pooler that knows no transactions. */
  let statementPooling = false;

  async function connected(deadline: number): Promise<Session> {
    if (session?.alive()) return session;
    if (closed) throw new Error(`the connection to ${address} was closed`);
    if (failed && performance.now() - failed.at < PAUSE_MS) throw failed.error;
    const giveUp = new AbortController();
    try {
      const opening = openSession(target, options.applicationName, giveUp.signal, statementPooling);
      session = await within(opening, Math.min(CONNECT_MS, deadline - performance.now()), () =>
        giveUp.abort(),
      );
    } catch (error) {
      failed = { at: performance.now(), error: explain(error) };
      throw failed.error;
    }
    failed = undefined;
    if (closed) await session.end();
    return session;
  }

  async function attempt(work: Work, timeoutMs: number, deadline: number): Promise<Row[]> {
    const current = await connected(deadline);
    const patience = Math.min(timeoutMs + GRACE_MS, deadline - performance.now());
    return within(work(current, timeoutMs), patience, () => current.destroy());
  }

  async function ask(work: Work, timeoutMs: number, deadline: number): Promise<Row[]> {
    const kept = session;
    try {
      return await attempt(work, timeoutMs, deadline);
    } catch (error) {
      // A kept connection that the server closed meanwhile is found out by using it: once more, with a new one.
      if (SERVER_LEFT.test(String((error as { code?: string }).code))) session?.destroy();
      const refusesTransactions = !statementPooling && isStatementPooling(error);
      if (refusesTransactions) {
        statementPooling = true;
        session?.destroy();
      }
      const stale = kept !== undefined && kept === session && !kept.alive() && !(error instanceof Late);
      if ((!stale && !refusesTransactions) || closed) throw explain(error);
    }
    return attempt(work, timeoutMs, deadline).catch((error: unknown) => {
      throw explain(error);
    });
  }

  function queued(work: Work, timeoutMs: number): Promise<Row[]> {
    const deadline = performance.now() + TOTAL_MS;
    const mine = line.then(() => {
      if (performance.now() > deadline) throw new Error(`${address} was busy with other queries`);
      return ask(work, Math.max(1, Math.round(timeoutMs)), deadline);
    });
    line = mine.catch(() => {});
    return mine;
  }

  return {
    address,
    query: (sql, params = [], timeoutMs = STATEMENT_MS) =>
      queued((current, ms) => current.transaction(({ run }) => run(sql, params), ms, 'COMMIT'), timeoutMs),
    readOnly: (sql, timeoutMs = STATEMENT_MS) =>
      queued(
        // Rolled back: what a stranger's statement may have set goes with it.
        (current, ms) =>
          current.transaction((transaction) => throughCursor(transaction, sql), ms, 'ROLLBACK'),
        timeoutMs,
      ),
    async close() {
      closed = true;
      await session?.end();
      session = undefined;
    },
  };
}

type Work = (session: Session, timeoutMs: number) => Promise<Row[]>;

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
