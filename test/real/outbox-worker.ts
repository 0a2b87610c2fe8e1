// Run by outbox-kill.test.ts as a process of its own: accepts messages as fast as it can and delivers them, until it is killed.
// node outbox-worker.js STATE_DIR API_ROOT TOKEN CHAT EPOCH storm|drain|edits|settle
// edits: one incident whose message changes all the time; settle: until that message shows its last state.
import { writeSync } from 'node:fs';
import { defaultExtra, defaultSettings, type Config } from '../../src/config/schema.ts';
import { createDelivery } from '../../src/notify/delivery.ts';
import { openOutbox } from '../../src/store/outbox.ts';
import { messagesBehind, messagesOf, setWanted } from '../../src/store/incident-messages.ts';
import { openStore } from '../../src/store/open.ts';
import { systemClock } from '../../src/system/clock.ts';
import { httpRequest } from '../../src/system/http/http.ts';
import type { Clock } from '../../src/system/types.ts';

const [stateDir = '', apiRoot = '', token = '', chat = '', epoch = '', mode = ''] = process.argv.slice(2);
/** Time runs faster, the same in every life, so that Telegram's limits do not take hours. */
const SPEED = 400;
const real = systemClock();
const clock: Clock = {
  now: () => Math.round(Number(epoch) + (Date.now() - Number(epoch)) * SPEED),
  monotonic: () => real.monotonic() * SPEED,
  sleep: (ms, signal) => real.sleep(ms / SPEED, signal),
};
const silent = () => undefined;
const complain = (text: string) => void writeSync(2, `${text}\n`);

const config: Config = {
  settings: {
    ...defaultSettings(),
    TELEGRAM_BOT_TOKEN: token,
    TELEGRAM_CHAT_ID: chat,
    TELEGRAM_API_ROOT: apiRoot,
  },
  origins: {} as Config['origins'],
  extra: defaultExtra(),
  files: [],
  warnings: [],
  stateDir,
};
const store = openStore(stateDir, clock.now());
if (store.trouble !== undefined || store.setAside !== undefined)
  complain(`the store: ${store.trouble ?? store.setAside}`);
const outbox = openOutbox(store.db);
const delivery = createDelivery({
  store,
  config,
  http: httpRequest,
  clock,
  // What is sent is in the log as well, a line each: that is no complaint.
  log: {
    debug: silent,
    info: silent,
    warn: silent,
    error: (text) => (text.startsWith('CRITICAL disk ') ? undefined : complain(text)),
  },
  stateDir,
  server: 'vps',
});
writeSync(1, 'ready\n');

/** Every seventh message has three parts. */
function textOf(n: number): string {
  if (n % 7 !== 0) return `m${n}.`;
  return Array.from({ length: 3 }, (_, part) => `m${n}.${part} <b>${'x'.repeat(4000)}</b>`).join('\n');
}

/** Accepts the next message; says so only after it was committed. */
function accept(): void {
  const n = outbox.within(() => {
    const next = outbox.lastId() + 1;
    outbox.enqueue({ at: clock.now(), severity: 'critical', kind: 'disk', subject: '/', html: textOf(next) });
    return next;
  });
  writeSync(1, `accepted ${n}\n`);
}

/** The incident's message, once it was accepted. */
function ownMessage() {
  return messagesOf(store.db, 1)[0];
}

async function changeAllTheTime(): Promise<void> {
  if (outbox.lastId() === 0)
    outbox.enqueue({
      at: clock.now(),
      severity: 'critical',
      kind: 'disk',
      subject: '/',
      html: 's0.',
      incidentId: 1,
      role: 'opens',
    });
  const running = delivery.run(new AbortController().signal);
  for (;;) {
    const message = ownMessage();
    if (message) {
      const next = Number(/s(\d+)/.exec(message.wanted)?.[1] ?? 0) + 1;
      setWanted(store.db, message, JSON.stringify({ html: `s${next}.` }), false);
      writeSync(1, `accepted ${next}\n`);
    }
    delivery.kick();
    await Promise.race([running, real.sleep(2)]);
  }
}

async function settle(): Promise<void> {
  const stop = new AbortController();
  const running = delivery.run(stop.signal);
  while (outbox.waiting().length > 0 || messagesBehind(store.db).length > 0) await real.sleep(5);
  stop.abort();
  await running;
  store.close();
}

if (mode === 'edits') {
  await changeAllTheTime();
} else if (mode === 'settle') {
  await settle();
} else if (mode === 'drain') {
  await delivery.drain(1e9);
  store.close();
} else {
  const running = delivery.run(new AbortController().signal);
  for (;;) {
    // No more than Telegram takes, or the backlog would only grow.
    if (outbox.backlog().waiting < 5) accept();
    delivery.kick();
    await Promise.race([running, real.sleep(2)]);
  }
}
