// The console as an owner uses it on the phone: the real monitor as a process without systemd, a real engine, taps and commands.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startDaemon, until, type Daemon } from '../helpers/daemon.ts';
import { startEngine, type Engine } from '../helpers/docker-engine.ts';
import { startTelegram, type SentMessage, type Telegram } from '../standins/telegram.js';

const ADA = { id: 777, type: 'private' as const, first_name: 'Ada' };
let engine: Engine;
let telegram: Telegram;
let daemon: Daemon;
beforeAll(async () => {
  engine = await startEngine();
  telegram = await startTelegram({ chats: [ADA] });
  daemon = await startDaemon({
    DOCKER_HOST: engine.dockerHost,
    TELEGRAM_API_ROOT: telegram.url,
    TELEGRAM_BOT_TOKEN: telegram.token,
    TELEGRAM_CHAT_ID: telegram.chatId,
    TELEGRAM_ACTIONS: 'true',
    SERVER_NAME: 'shop',
  });
});
afterAll(async () => {
  await daemon?.remove();
  await telegram?.close();
  await engine?.stop();
});

const sent = (part: string) => telegram.sent.filter(({ plain }) => plain.includes(part));
const shown = (message: SentMessage) => telegram.message(message.chatId, message.id);
const buttons = (message: SentMessage) => (shown(message)?.keyboard ?? []).flat().map(({ text }) => text);
async function tap(message: SentMessage, button: string): Promise<string> {
  await until(() => buttons(message).includes(button), `the button ${button}`);
  const query = telegram.tap(message, button);
  await until(() => telegram.answers.some(({ queryId }) => queryId === query), 'its answer');
  return telegram.answers.find(({ queryId }) => queryId === query)!.text;
}

it('logs, restart, stop and the chart, from the phone', async () => {
  await engine.run({
    name: 'web',
    command: ['sh', '-c', 'echo token=sk-live-4711471147114711; sleep 2; exit 3'],
  });
  const [message] = await until(
    () => (sent('Service Stopped').length > 0 ? sent('Service Stopped') : undefined),
    'the alert',
  );
  await tap(message!, 'Logs');
  await until(() => sent('web: the last 30 log lines').length > 0, 'the logs');
  expect(telegram.sent.some(({ plain }) => plain.includes('sk-live-4711'))).toBe(false);

  const starts = async () => (await engine.docker.inspect('web')).state.startedAt;
  const before = await starts();
  await tap(message!, 'Restart');
  await tap(message!, 'Yes, restart web');
  await until(async () => (await starts()) !== before, 'the restart');
  await until(() => sent('restart web, asked for by Ada').length > 0, 'the result');

  await engine.run({ name: 'app', command: ['sh', '-c', 'sleep 3; exit 4'], restartPolicy: 'always' });
  const [loop] = await until(() => {
    const found = telegram.sent.filter(({ plain }) => /Service: app/.test(plain) && /Restart/.test(plain));
    return found.some((one) => buttons(one).includes('Stop'))
      ? found.filter((one) => buttons(one).includes('Stop'))
      : undefined;
  }, 'the incident of app');
  await tap(loop!, 'Stop');
  await tap(loop!, 'Yes, stop app');
  await until(() => sent('stop app, asked for by Ada').length > 0, 'the result');
  expect((await engine.docker.inspect('app')).state.status).toBe('exited');
  const log = readFileSync(join(daemon.stateDir, 'recovery.log'), 'utf8');
  expect(log).toMatch(/Ada asked for: stop-container app/);
  expect(log).toMatch(/telegram Ada: restart-container web: /);

  // A monitor of a minute has no curve to draw, and says so; one that needed longer to come here draws it.
  telegram.write(ADA, '/chart');
  await until(
    () => sent('not enough history').length > 0 || telegram.sent.some(({ photo }) => photo !== undefined),
    'the answer to /chart',
  );
  telegram.write(ADA, '/report');
  await until(() => sent('Daily report: shop').length > 0, 'the report');
});
