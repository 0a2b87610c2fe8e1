import { afterAll, beforeAll, expect, it } from 'vitest';
import { isLaterVersion } from '../../src/model/version.ts';
import { openStore } from '../../src/store/open.ts';
import { recordWriter } from '../../src/store/written-by.ts';
import { startDaemon, until, vpsmon, type Daemon } from '../helpers/daemon.ts';
import { startTelegram, type Telegram } from '../standins/telegram.js';

let telegram: Telegram;
let daemon: Daemon;
beforeAll(async () => {
  telegram = await startTelegram();
  daemon = await startDaemon({
    ...telegram.settings,
    DOCKER_HOST: 'unix:///nonexistent/docker.sock',
  });
});
afterAll(async () => {
  await daemon?.remove();
  await telegram?.close();
});
const told = () => telegram.sent.filter(({ plain }) => plain.includes('9.9.9'));

/** Leaves the state folder as version 9.9.9 would. */
async function usedByALaterOne(): Promise<void> {
  await daemon.stop();
  const store = openStore(daemon.stateDir, Date.now());
  recordWriter(store.db, '9.9.9', Date.now());
  store.close();
}

it('U15: an older version over the state folder of a later one says so, once', async () => {
  expect(told()).toEqual([]);
  await usedByALaterOne();
  const doctor = await vpsmon(['doctor', '--config', daemon.conf, '--state-dir', daemon.stateDir]);
  expect(doctor.stdout).toMatch(/WARN +version +.*was used by vpsmon 9\.9\.9, which is later/);
  await daemon.start();
  await until(() => told().length > 0, 'the message');
  expect(told()[0]?.plain).toMatch(/this is the older \d+\.\d+\.\d+/);
  await until(() => daemon.log().includes('9.9.9'), 'the log');
  await daemon.stop();
  const lines = daemon.log().split('9.9.9').length;
  await daemon.start();
  expect(daemon.log().split('9.9.9')).toHaveLength(lines);
});

it.each([
  ['0.3.0', '0.2.9', true],
  ['0.10.0', '0.9.0', true],
  ['1.0.0', '0.99.99', true],
  ['0.2.0', '0.2.0', false],
  ['0.2.0', '0.3.0', false],
  ['dev', '0.2.0', false],
  ['0.3.0', 'dev', false],
])('%s is later than %s: %s', (a, b, later) => {
  expect(isLaterVersion(a, b)).toBe(later);
});
