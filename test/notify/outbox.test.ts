import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Message } from '../../src/model/message.ts';
import { foldBacklog } from '../../src/notify/fold.ts';
import { openOutbox, type Outbox } from '../../src/store/outbox.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { alertCounts, KEEP_MS, KEEP_ROWS } from '../../src/store/outbox.ts';

const NOW = Date.parse('2025-07-16T10:30:00Z');
let dir: string;
let store: Store;
let outbox: Outbox;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vpsmon-outbox-'));
  store = openStore(dir, NOW);
  outbox = openOutbox(store.db);
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

const message = (html: string, more: Partial<Message> = {}): Message => ({
  at: NOW,
  severity: 'warning',
  kind: 'disk',
  subject: '/',
  html,
  ...more,
});

describe('enqueue', () => {
  it('keeps everything about a message', () => {
    const full = message('<b>x</b>', { severity: 'critical', photoPath: '/tmp/x.png', incidentId: 7 });
    const id = outbox.enqueue(full);
    expect(outbox.waiting()).toEqual([
      {
        ...full,
        id,
        position: id,
        state: 'waiting',
        attempts: 0,
        nextTryAt: 0,
        waitMs: 0,
        stepsDone: 0,
      },
    ]);
  });

  it('is part of the transaction that is open', () => {
    const failing = store.db.transaction(() => {
      outbox.enqueue(message('never'));
      throw new Error('the incident could not be saved');
    });
    expect(() => failing.immediate()).toThrow('the incident could not be saved');
    expect(outbox.waiting()).toEqual([]);
    expect(alertCounts(store.db).accepted.warning).toBe(0);
    store.db.transaction(() => outbox.enqueue(message('kept'))).immediate();
    expect(outbox.waiting().map((row) => row.html)).toEqual(['kept']);
    expect(alertCounts(store.db).accepted.warning).toBe(1);
  });

  it('counts alerts by severity, and neither reports nor tests', () => {
    for (const severity of ['info', 'warning', 'warning', 'critical'] as const)
      outbox.enqueue(message('x', { severity }));
    for (const kind of ['daily-report', 'status-report', 'test']) outbox.enqueue(message('x', { kind }));
    expect(alertCounts(store.db)).toEqual({ accepted: { info: 1, warning: 2, critical: 1 }, sent: 0 });
  });

  it('is seen by another process on the same folder', () => {
    const other = openStore(dir, NOW);
    openOutbox(other.db).enqueue(message('from elsewhere'));
    other.close();
    expect(outbox.waiting().map((row) => row.html)).toEqual(['from elsewhere']);
  });
});

describe('prune', () => {
  it('forgets what is old or too much, and never what waits', () => {
    const old = NOW - KEEP_MS - 1;
    const oldSent = outbox.enqueue(message('old, sent', { at: old }));
    const newSent = outbox.enqueue(message('new, sent'));
    outbox.enqueue(message('old, waiting', { at: old }));
    for (const row of outbox.waiting()) if ([oldSent, newSent].includes(row.id)) outbox.markSent(row, NOW);
    outbox.prune(NOW);
    expect(outbox.after(0).map((row) => row.html)).toEqual(['new, sent', 'old, waiting']);
    store.db
      .transaction(() => {
        for (let i = 0; i < KEEP_ROWS + 50; i++) outbox.enqueue(message(`m${i}`));
        store.db.exec(`UPDATE outbox SET state = 'sent' WHERE html LIKE 'm%'`);
      })
      .immediate();
    outbox.prune(NOW);
    const { n } = store.db.prepare('SELECT count(*) AS n FROM outbox').get() as { n: number };
    expect(n).toBe(KEEP_ROWS + 1);
    expect(outbox.waiting().map((row) => row.html)).toEqual(['old, waiting']);
  });

  it('keeps what a waiting digest tells', () => {
    for (let i = 0; i < 25; i++) outbox.enqueue(message(`m${i}`, { at: NOW - KEEP_MS - 1 }));
    expect(foldBacklog(outbox, 'vps')).toBe(25);
    outbox.prune(NOW);
    const [digest] = outbox.waiting();
    expect(outbox.foldedInto(digest?.id ?? 0)).toHaveLength(25);
    if (digest) outbox.markSent(digest, NOW);
    outbox.prune(NOW);
    expect(outbox.after(0)).toEqual([]);
  });
});

describe('foldBacklog', () => {
  it('does nothing for 20, for critical ones only, and for one that would be alone', () => {
    for (let i = 0; i < 20; i++) outbox.enqueue(message(`m${i}`, { severity: 'critical' }));
    outbox.enqueue(message('alone'));
    expect(foldBacklog(outbox, 'vps')).toBe(0);
  });

  it('leaves alone what was tried or begun', () => {
    const ids = Array.from({ length: 25 }, (_, i) => outbox.enqueue(message(`m${i}`)));
    outbox.markTried(ids[0] as number, 'waiting', NOW, 1000, 'HTTP 500');
    outbox.saveSteps(ids[1] as number, [{ html: 'a' }, { html: 'b' }], 1);
    expect(foldBacklog(outbox, 'vps')).toBe(23);
    expect(outbox.waiting().map((row) => row.kind)).toEqual(['disk', 'disk', 'digest']);
  });

  it('finds what waits by an index, whatever else the table holds', () => {
    const plan = store.db
      .prepare(
        `EXPLAIN QUERY PLAN SELECT * FROM outbox WHERE state IN ('waiting', 'refused') ORDER BY coalesce(position, id), id LIMIT 1`,
      )
      .all() as { detail: string }[];
    expect(plan.map((row) => row.detail).join('\n')).toContain('outbox_pending');
  });
});
