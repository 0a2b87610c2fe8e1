import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { errorText } from '../model/text.ts';
import type { Db } from './db.ts';
import { ACTION_MIGRATIONS, restoreActions } from './actions.ts';
import { HISTORY_MIGRATIONS } from './history.ts';
import { INCIDENT_MIGRATIONS } from './incidents.ts';
import { MEMORY_MIGRATIONS } from './memory.ts';
import { OUTBOX_MIGRATIONS } from './outbox.ts';
import { makePrivate } from './private-file.ts';
import { SERVICE_MIGRATIONS } from './services.ts';

/** One list per table family. A migration that has shipped is never changed, only followed by another. */
const FAMILIES: Record<string, readonly string[]> = {
  memory: MEMORY_MIGRATIONS,
  incidents: INCIDENT_MIGRATIONS,
  outbox: OUTBOX_MIGRATIONS,
  history: HISTORY_MIGRATIONS,
  actions: ACTION_MIGRATIONS,
  services: SERVICE_MIGRATIONS,
};

export type Store = {
  db: Db;
  /** What is wrong with the state folder, for the log, /health and doctor; the store then lives in memory only. */
  trouble?: string;
  /** Where a corrupt database was set aside to. */
  setAside?: string;
  /** How many actions of recovery that wait to be undone were taken over from the copy beside a database that was lost. */
  restored?: number;
  /** Why there is nothing to take over from. */
  copyTrouble?: string;
  close(): void;
};

/**
 * Opens `vpsmon.db` in the state folder, creating both (0711, 0600). A corrupt file is set aside and a new one begun.
 * A folder that cannot be written gives a store in memory, so that watching and alerting go on; `trouble` says why.
 */
export function openStore(stateDir: string, now: number): Store {
  const path = join(stateDir, 'vpsmon.db');
  try {
    // 0711: node_exporter, another user, must get through to metrics/ by name; it can list and read nothing else.
    mkdirSync(stateDir, { recursive: true, mode: 0o711 });
    return finish(openFile(path), stateDir);
  } catch (error) {
    if (isCorrupt(error) && existsSync(path)) {
      const setAside = `${path}.corrupt-${new Date(now).toISOString().replace(/[:.]/g, '-')}`;
      try {
        renameSync(path, setAside);
        for (const suffix of ['-wal', '-shm'])
          if (existsSync(path + suffix)) renameSync(path + suffix, setAside + suffix);
        return { ...finish(openFile(path), stateDir), setAside };
      } catch (second) {
        return inMemory(second, stateDir);
      }
    }
    return inMemory(error, stateDir);
  }
}

function openFile(path: string): Db {
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
    if (check.quick_check !== 'ok')
      throw Object.assign(new Error(check.quick_check), { code: 'SQLITE_CORRUPT' });
    migrate(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function migrate(db: Db): void {
  db.exec('CREATE TABLE IF NOT EXISTS schema_versions (family TEXT PRIMARY KEY, version INTEGER NOT NULL)');
  for (const [family, steps] of Object.entries(FAMILIES)) {
    // In one immediate transaction each, so that two processes starting together do not both run a step.
    db.transaction(() => {
      const row = db.prepare('SELECT version FROM schema_versions WHERE family = ?').get(family) as
        { version: number } | undefined;
      const done = row?.version ?? 0;
      for (const step of steps.slice(done)) db.exec(step);
      if (steps.length > done) {
        db.prepare(
          'INSERT INTO schema_versions VALUES (?, ?) ON CONFLICT (family) DO UPDATE SET version = excluded.version',
        ).run(family, steps.length);
      }
    }).immediate();
  }
}

function finish(db: Db, stateDir: string): Store {
  return {
    db,
    ...takeOver(db, stateDir),
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
  return { db, trouble: whyNot(stateDir) ?? errorText(error), close: () => db.close() };
}

const PLAIN: Record<string, string> = {
  EROFS: 'its file system is read-only',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  ENOTDIR: 'a part of its path is a file, not a folder',
  ENOENT: 'it does not exist',
};

/** The driver says "14"; trying to write a file there says why. Undefined where that works. */
function whyNot(stateDir: string): string | undefined {
  const probe = join(stateDir, `.probe-${process.pid}`);
  try {
    writeFileSync(probe, 'x'.repeat(4096));
    rmSync(probe);
    return undefined;
  } catch (error) {
    try {
      rmSync(probe, { force: true });
    } catch {
      // It could not be written, so there is nothing to remove.
    }
    const code = (error as NodeJS.ErrnoException).code ?? '';
    return PLAIN[code] ? `${PLAIN[code]} (${code})` : errorText(error);
  }
}

function isCorrupt(error: unknown): boolean {
  const code = (error as { code?: string }).code ?? '';
  return (
    code.startsWith('SQLITE_CORRUPT') ||
    code === 'SQLITE_NOTADB' ||
    /malformed|not a database/.test(String(error))
  );
}
