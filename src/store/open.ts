import { chmodSync, copyFileSync, existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { errorText } from '../model/text.ts';
import { statement, type Db } from './db.ts';
import { restoreActions } from './actions.ts';
import { hasCopy } from './actions-copy.ts';
import { openOutbox } from './outbox.ts';
import { identityOf, makePrivate, makeStateFolder, whyNotWritable } from './state-folder.ts';
import { migrate, repairTables } from './schema.ts';

export type Store = {
  db: Db;
  /** What is wrong with the state folder, for the log, /health and doctor; the store then lives in memory only. */
  trouble?: string;
  /** Where a corrupt database was set aside to. */
  setAside?: string;
  /** There was a database in this folder, and its file was gone or empty. */
  lost?: true;
  /** How many actions of recovery that wait to be undone were taken over from the copy beside a database that was lost. */
  restored?: number;
  /** Why there is nothing to take over from. */
  copyTrouble?: string;
  /** Which file it is on the disk; undefined for a store in memory. */
  file?: string;
  /** Tables that were missing or damaged, and were made anew. */
  repaired?: string[];
  /**
   * Why the store has to be opened anew: its file was removed or replaced while it was open, somebody changed its tables, or the folder
   * can be written again. Undefined while all is as it was. Costs one stat.
   */
  stale(): string | undefined;
  close(): void;
};

/**
 * Opens `vpsmon.db` in the state folder, creating both (0711, 0600). A corrupt file is set aside and a new one begun.
 * A folder that cannot be written gives a store in memory, so that watching and alerting go on; `trouble` says why.
 */
export function openStore(stateDir: string, now: number): Store {
  const path = join(stateDir, 'vpsmon.db');
  try {
    makeStateFolder(stateDir);
    return openFile(path, stateDir);
  } catch (error) {
    if (isCorrupt(error) && existsSync(path)) {
      const setAside = `${path}.corrupt-${new Date(now).toISOString().replace(/[:.]/g, '-')}`;
      try {
        renameSync(path, setAside);
        for (const suffix of ['-wal', '-shm'])
          if (existsSync(path + suffix)) renameSync(path + suffix, setAside + suffix);
        const { lost: _lost, ...store } = openFile(path, stateDir);
        return { ...store, setAside };
      } catch (second) {
        return inMemory(second, stateDir);
      }
    }
    return inMemory(error, stateDir);
  }
}

/**
 * Opens the store again after `stale` said why. Where its file is gone, a new one is written from the open one, which lives on without
 * a name: nothing that was kept is lost. Where another one stands there, messages that wait to be sent are carried over.
 * The folder must be usable. The caller closes the old store.
 */
export function reopenStore(stateDir: string, now: number, old: Store): Store {
  const path = join(stateDir, 'vpsmon.db');
  if (!existsSync(path)) {
    try {
      // What SQLite kept beside the lost file would be played into the new one.
      for (const beside of [`${path}-wal`, `${path}-shm`]) rmSync(beside, { force: true });
      writeWhole(old, path);
      return openStore(stateDir, now);
    } catch {
      // It cannot be read whole any more: begun anew, with the messages that wait.
      rmSync(path, { force: true });
    }
  }
  const sameFile = old.file !== undefined && old.file === identityOf(path);
  const waiting = sameFile ? [] : quietly(() => openOutbox(old.db).waiting());
  const store = openStore(stateDir, now);
  for (const message of waiting ?? []) quietly(() => openOutbox(store.db).enqueue(message));
  return store;
}

function writeWhole({ db }: Store, path: string): void {
  makePrivate(path);
  db.exec(`VACUUM INTO '${path.replaceAll("'", "''")}'`);
}

/** Keeps a store whose file is gone in another folder, as far as that can be, for `takeCarried` of the next start. */
export function carryStore(old: Store, folder: string): void {
  const path = join(folder, 'vpsmon.db');
  rmSync(path, { force: true });
  quietly(() => writeWhole(old, path));
}

/** Brings what `carryStore` kept into a state folder that has no database; whether it did. */
export function takeCarried(folder: string, stateDir: string): boolean {
  const [from, path] = [join(folder, 'vpsmon.db'), join(stateDir, 'vpsmon.db')];
  if (!existsSync(from)) return false;
  const taken = quietly(() => {
    if (existsSync(path)) return false;
    makeStateFolder(stateDir);
    makePrivate(path);
    copyFileSync(from, path);
    return true;
  });
  rmSync(from, { force: true });
  return taken === true;
}

/** Undefined when it fails: what can be saved is saved, and the watching goes on. */
function quietly<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

/** What became of the database before this one, after "the database ..."; undefined where this one is no new one, or the first. */
export function lossOf({ setAside, lost }: Store): string | undefined {
  if (setAside !== undefined) return `was damaged and is set aside as ${setAside}`;
  return lost ? 'was gone or empty' : undefined;
}

function openFile(path: string, stateDir: string): Store {
  if (existsSync(path) && statSync(path).isDirectory()) throw new Error(`${path} is a folder: move it away`);
  const lost = hasCopy(stateDir) && !(existsSync(path) && statSync(path).size > 0);
  makePrivate(path);
  // The log beside it holds the same messages, and others may pass through the folder.
  for (const beside of [`${path}-wal`, `${path}-shm`]) if (existsSync(beside)) chmodSync(beside, 0o600);
  const db = new Database(path, { timeout: 5000 });
  try {
    db.exec('PRAGMA journal_mode = WAL');
    // FULL: what the outbox accepted must survive a pulled plug. Costs 0.2 ms per commit on an SSD.
    db.exec('PRAGMA synchronous = FULL');
    db.exec('PRAGMA journal_size_limit = 4194304; PRAGMA cache_size = -256; PRAGMA mmap_size = 0');
    const check = db.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
    if (check.quick_check !== 'ok') throw corrupt(check.quick_check);
    const repaired = prepareTables(db);
    const file = identityOf(path);
    const schema = schemaVersion(db);
    return {
      db,
      ...takeOver(db, stateDir),
      ...(lost ? { lost } : {}),
      ...(file === undefined ? {} : { file }),
      ...(repaired.length > 0 ? { repaired } : {}),
      stale() {
        const there = identityOf(path);
        if (there === undefined) return 'was removed';
        if (there !== file) return 'was replaced';
        return quietly(() => schemaVersion(db)) === schema ? undefined : 'was changed by another program';
      },
      close() {
        try {
          // So that the database is one whole file while nobody has it open.
          db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
        } catch {
          // A full disk, or another process reads: the log is kept, and nothing is lost.
        }
        db.close();
      },
    };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Tables that cannot be brought into order are as good as a damaged file. */
function prepareTables(db: Db): string[] {
  try {
    migrate(db);
    return repairTables(db);
  } catch (error) {
    if ((error as { code?: string }).code === 'SQLITE_ERROR') throw corrupt(errorText(error));
    throw error;
  }
}

/** Rises with every change of the tables, by whomever. */
function schemaVersion(db: Db): number {
  return (statement(db, 'PRAGMA schema_version').get() as { schema_version: number }).schema_version;
}

function takeOver(db: Db, stateDir: string): Pick<Store, 'restored' | 'copyTrouble'> {
  try {
    const { restored, hadCopy } = restoreActions(db, stateDir);
    return { restored, ...(hadCopy ? {} : { copyTrouble: 'there is no copy of it' }) };
  } catch (error) {
    return { copyTrouble: `the copy of it cannot be read: ${errorText(error)}` };
  }
}

function inMemory(error: unknown, stateDir: string): Store {
  const db = new Database(':memory:');
  migrate(db);
  const why = whyNotWritable(stateDir);
  return {
    db,
    trouble: why ?? errorText(error),
    stale: () =>
      why !== undefined && whyNotWritable(stateDir) === undefined ? 'can be written again' : undefined,
    close: () => db.close(),
  };
}

function corrupt(message: string): Error {
  return Object.assign(new Error(message), { code: 'SQLITE_CORRUPT' });
}

function isCorrupt(error: unknown): boolean {
  const code = (error as { code?: string }).code ?? '';
  return (
    code.startsWith('SQLITE_CORRUPT') ||
    code === 'SQLITE_NOTADB' ||
    /malformed|not a database/.test(String(error))
  );
}
