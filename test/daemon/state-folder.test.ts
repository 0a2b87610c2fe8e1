import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { describe, expect, it } from 'vitest';
import * as v from 'valibot';
import { recall, remember } from '../../src/store/memory.ts';
import { openStore } from '../../src/store/open.ts';
import { openOutbox } from '../../src/store/outbox.ts';
import { takeLock } from '../../src/store/lock.ts';
import { startDaemon, until, vpsmon } from '../helpers/daemon.ts';

const QUIET = { DOCKER_HOST: 'unix:///nonexistent.sock' };

/** A state folder in which a monitor has worked before. */
function usedFolder(damage: (db: Database.Database) => void): string {
  const dir = join(mkdtempSync(join(tmpdir(), 'vpsmon-state-')), 'state');
  const { db, close } = openStore(dir, Date.now());
  remember(db, 'kept', 'as it was', Date.now());
  damage(db);
  close();
  return dir;
}

/** Somebody writes into it at the same time. */
function removeUsed(folder: string): void {
  rmSync(folder, { recursive: true, maxRetries: 10 });
}

describe.concurrent('a state folder that is damaged', () => {
  it('R5: removed while the monitor runs: told, made anew with all that was kept, and locked', async () => {
    const daemon = await startDaemon(QUIET);
    try {
      const db = new Database(join(daemon.stateDir, 'vpsmon.db'));
      remember(db, 'kept', 'as it was', Date.now());
      db.close();
      removeUsed(daemon.stateDir);
      const health = await until(async () => {
        const now = await daemon.health().catch(() => undefined);
        const told = /was removed while the monitor ran, and was made anew/.test(now?.reasons.join() ?? '');
        return told ? now : undefined;
      }, 'a new state folder');
      expect(health.status).toBe('degraded');
      expect(statSync(daemon.stateDir).mode & 0o777).toBe(0o711);
      expect(statSync(join(daemon.stateDir, 'vpsmon.db')).mode & 0o777).toBe(0o600);
      const anew = new Database(join(daemon.stateDir, 'vpsmon.db'));
      expect(recall(anew, 'kept', v.string())).toBe('as it was');
      anew.close();
      const second = await vpsmon(['monitor', '--config', daemon.conf, '--state-dir', daemon.stateDir]);
      expect(second).toMatchObject({ code: 3, stderr: expect.stringContaining('another monitor (process') });
      await daemon.stopInTime();
    } finally {
      await daemon.remove();
    }
  });

  it('R5: removed under systemd, whose sandbox lets nobody make it: what was kept comes back with the next start', async () => {
    const runtime = mkdtempSync(join(tmpdir(), 'vpsmon-runtime-'));
    const unit = { INVOCATION_ID: 'a'.repeat(32), RUNTIME_DIRECTORY: runtime };
    const daemon = await startDaemon(QUIET, undefined, undefined, unit);
    try {
      const db = new Database(join(daemon.stateDir, 'vpsmon.db'));
      remember(db, 'kept', 'as it was', Date.now());
      db.close();
      const removed = `${daemon.stateDir}-removed`;
      renameSync(daemon.stateDir, removed);
      writeFileSync(daemon.stateDir, 'no folder can be made here');
      removeUsed(removed);
      await until(() => daemon.exitCode() !== null, 'the end');
      expect(daemon.exitCode()).toBe(3);
      expect(daemon.log()).toMatch(/The state folder .* was removed: it cannot be made anew/);
      rmSync(daemon.stateDir);
      await daemon.start();
      expect((await daemon.health()).reasons.join()).toMatch(
        /was removed while the monitor ran, and was made anew/,
      );
      const anew = new Database(join(daemon.stateDir, 'vpsmon.db'));
      expect(recall(anew, 'kept', v.string())).toBe('as it was');
      anew.close();
      expect(readdirSync(runtime)).toEqual([]);
    } finally {
      await daemon.remove();
      rmSync(runtime, { recursive: true });
    }
  });

  it('R5: removed, and taken by another monitor meanwhile: the first one ends', async () => {
    const daemon = await startDaemon(QUIET);
    try {
      // All is there before the monitor can look: it looks at a moment that nobody knows.
      const other = `${daemon.stateDir}-other`;
      const store = openStore(other, Date.now());
      const lock = takeLock(other, 'daemon');
      remember(store.db, 'whose', 'of the other', Date.now());
      const removed = `${daemon.stateDir}-removed`;
      renameSync(daemon.stateDir, removed);
      renameSync(other, daemon.stateDir);
      removeUsed(removed);
      await until(() => daemon.exitCode() !== null, 'the end');
      expect(daemon.exitCode()).toBe(3);
      expect(daemon.log()).toContain('another monitor (process');
      expect(recall(store.db, 'whose', v.string())).toBe('of the other');
      expect(existsSync(join(daemon.stateDir, 'vpsmon.db-wal'))).toBe(true);
      // A lock that nobody refers to any more is given back when garbage is collected.
      if (!('release' in lock)) throw new Error('the folder of the other is locked by somebody else');
      lock.release();
      store.close();
    } finally {
      await daemon.remove();
    }
  });

  const drop = (table: string) => (db: Database.Database) => void db.exec(`DROP TABLE ${table}`);
  it.each([
    ['outbox', drop('outbox')],
    ['memory', drop('memory')],
    ['incidents', drop('incidents')],
    ['services', drop('services')],
    ['history_raw', drop('history_raw')],
    ['actions', drop('actions')],
    [
      'outbox',
      (db: Database.Database) =>
        db.exec('DROP INDEX outbox_digest; ALTER TABLE outbox DROP COLUMN digest_id'),
    ],
    ['incidents', (db: Database.Database) => db.exec('ALTER TABLE incidents RENAME COLUMN data TO other')],
  ])('S18: without the table %s, or a column of it, it is made anew', (table, damage) => {
    const dir = usedFolder(damage);
    const store = openStore(dir, Date.now());
    expect(store.trouble).toBeUndefined();
    expect(store.repaired).toEqual([table]);
    const outbox = openOutbox(store.db);
    outbox.enqueue({ at: 1, severity: 'critical', kind: 'test', subject: '', html: 'x' });
    expect(outbox.waiting()).toHaveLength(1);
    if (table !== 'memory') expect(recall(store.db, 'kept', v.string())).toBe('as it was');
    store.close();
    expect(openStore(dir, Date.now()).repaired).toBeUndefined();
    rmSync(join(dir, '..'), { recursive: true });
  });

  it('S18: tables that no longer fit together are set aside with the whole file', () => {
    const dir = usedFolder((db) => db.exec('DROP TABLE schema_versions'));
    const store = openStore(dir, Date.now());
    expect(store.trouble).toBeUndefined();
    expect(store.setAside).toBeDefined();
    store.close();
    rmSync(join(dir, '..'), { recursive: true });
  });

  it('S18: a monitor on such a folder checks, is told of, and loses a table while it runs without harm', async () => {
    const dir = usedFolder(drop('outbox'));
    const daemon = await startDaemon(QUIET, undefined, dir);
    try {
      const health = await daemon.health();
      expect(health.reasons.join()).toContain('were missing or damaged and were made anew: outbox');
      const db = new Database(join(dir, 'vpsmon.db'), { timeout: 5000 });
      db.exec('DROP TABLE outbox');
      db.close();
      await until(() => daemon.log().includes('was changed by another program'), 'the repair');
      await until(async () => (await daemon.health().catch(() => undefined))?.checks);
      const after = new Database(join(dir, 'vpsmon.db'));
      expect(openOutbox(after).waiting()).toBeInstanceOf(Array);
      after.close();
    } finally {
      await daemon.remove();
      rmSync(join(dir, '..'), { recursive: true });
    }
  });

  it('R9: rows that cannot be read are left out with a word, and the monitor starts', async () => {
    const dir = usedFolder((db) => {
      const bad = ['{"x"', 'null', '[]', '{}', '"text"', '12', '{"at":"x","nano":"y"}', '{"at":1e999}'];
      const keys = [
        'services-seen',
        'last-alive',
        'history-start',
        'oom-seen',
        'docker-seen',
        'waha.since',
        'postgres.blocks',
        'delivery.sends',
        'telegram.validated',
        'telegram.moved',
        'status-report-at',
      ];
      keys.forEach((key, i) =>
        db.prepare('INSERT INTO memory VALUES (?, ?, 0)').run(key, bad[i % bad.length]),
      );
      db.exec(`INSERT INTO services VALUES ('a', '{"name":5}'), ('b', 'null'), ('c', '{')`);
      db.exec(
        `INSERT INTO incidents VALUES (1, 'r', 's', 'firing', 'warning', 1, NULL, '{"rule":"r","subject":"s","state":"firing"}'),
           (2, 'r', 's', 'firing', 'warning', 1, NULL, 'null')`,
      );
      db.exec(
        `INSERT INTO outbox (at, severity, kind, subject, html) VALUES ('never', 'loud', 'k', 's', x'00'), (1, 'info', 'k', 's', 'good')`,
      );
      db.exec(`INSERT INTO history_raw (at, until, data) VALUES (1, 2, x'ff'), (3, 4, 'text')`);
      db.exec(
        `INSERT INTO actions (rule, target, what, why, state, started_at, undo) VALUES ('swap', 'web', 'stop-container', '', 'worked', 1, '{')`,
      );
      db.exec(`INSERT INTO silences VALUES ('x', 9e99, 5, 'since')`);
    });
    const daemon = await startDaemon(QUIET, undefined, dir);
    try {
      expect((await daemon.health()).checks).toBeGreaterThan(0);
      expect(daemon.log()).toContain('What was remembered as services-seen cannot be read and was dropped');
      expect(daemon.log()).not.toMatch(/Unexpected|The check failed|at .*\.js:\d/);
      for (const command of [
        ['status'],
        ['incidents'],
        ['report'],
        ['recover', 'history'],
        ['silence', 'list'],
      ]) {
        const { stdout, stderr } = await vpsmon([...command, '--config', daemon.conf, '--state-dir', dir]);
        expect(stdout + stderr).not.toMatch(/This should not happen|undefined|NaN/);
      }
    } finally {
      await daemon.remove();
      rmSync(join(dir, '..'), { recursive: true });
    }
  });

  it('a lock file that is no database is no lock', () => {
    const dir = mkdtempSync(join(tmpdir(), 'vpsmon-state-'));
    writeFileSync(join(dir, 'daemon.lock'), 'x'.repeat(5000));
    const lock = takeLock(dir, 'daemon');
    expect(lock).toHaveProperty('release');
    expect(takeLock(dir, 'daemon')).toHaveProperty('heldBy');
    if ('release' in lock) lock.release();
    rmSync(dir, { recursive: true });
  });
});
