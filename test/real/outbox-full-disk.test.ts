import { spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, closeSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Message } from '../../src/model/message.ts';
import { createDelivery } from '../../src/notify/delivery.ts';
import { openOutbox } from '../../src/store/outbox.ts';
import { openStore } from '../../src/store/open.ts';
import { httpRequest } from '../../src/system/http/http.ts';
import { configWith } from '../helpers/command.ts';
import { keptLog, leapClock } from '../notify/support.ts';
import { startTelegram, type Telegram } from '../standins/telegram.js';

let dir: string;
let telegram: Telegram;
beforeEach(async () => {
  if (process.getuid?.() !== 0) throw new Error('this test mounts a small file system and needs root');
  dir = mkdtempSync(join(tmpdir(), 'vpsmon-full-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', dir], { encoding: 'utf8' });
  if (mounted.status !== 0) throw new Error(`mount: ${mounted.stderr}`);
  telegram = await startTelegram();
});
afterEach(async () => {
  await telegram.close();
  spawnSync('umount', ['-l', dir]);
  rmSync(dir, { recursive: true, force: true });
});

/** Writes until the file system has no byte left. */
function fill(): string {
  const path = join(dir, 'ballast');
  const fd = openSync(path, 'w');
  for (const size of [65_536, 4096, 1]) {
    try {
      for (;;) writeSync(fd, Buffer.alloc(size));
    } catch {
      // Full for pieces of this size.
    }
  }
  closeSync(fd);
  return path;
}

it('a full disk: what waits is sent once, what comes is sent from memory, and the marks follow', async () => {
  const store = openStore(dir, Date.now());
  const outbox = openOutbox(store.db);
  const clock = leapClock();
  const log = keptLog();
  const config = configWith(
    {
      ...telegram.settings,
    },
    { stateDir: dir },
  );
  const delivery = createDelivery({
    store,
    config,
    http: httpRequest,
    clock,
    log,
    stateDir: dir,
    server: 'vps',
  });
  const message = (html: string): Message => ({
    at: clock.now(),
    severity: 'critical',
    kind: 'disk',
    subject: '/',
    html,
  });
  for (let i = 1; i <= 5; i++) outbox.enqueue(message(`m${i}`));
  const ballast = fill();
  // The rest of SQLite's own pages.
  expect(() => {
    for (let i = 0; i < 1000; i++) outbox.enqueue({ ...message('x'.repeat(3000)), kind: 'test' });
  }).toThrow(/full/i);
  store.db.exec(`DELETE FROM outbox WHERE kind = 'test'`);
  fill();

  const stop = new AbortController();
  const running = delivery.run(stop.signal);
  delivery.sendUnsaved(message('m6'));
  await telegram.waitFor(6);
  for (let i = 0; i < 10; i++) {
    delivery.kick();
    clock.pass(60_000);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(telegram.sent.map((sent) => sent.plain)).toEqual(['m1', 'm2', 'm3', 'm4', 'm5', 'm6']);

  rmSync(ballast);
  delivery.kick();
  outbox.enqueue(message('m7'));
  delivery.kick();
  await telegram.waitFor(7);
  stop.abort();
  await running;
  expect(telegram.sent.at(-1)?.plain).toBe('m7');
  expect(outbox.waiting()).toEqual([]);
  // The messages themselves are in the log, too.
  expect(log.lines.filter((line) => /^ERROR (?!CRITICAL disk)/.test(line)).length).toBeLessThan(5);
  store.close();
});
