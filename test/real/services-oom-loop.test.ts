// A container that the kernel kills again and again, from the kernel log and Docker's events to what Telegram took.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDaemon, until, vpsmon, type Daemon } from '../helpers/daemon.ts';
import { startEngine, type Engine } from '../helpers/docker-engine.ts';
import { startTelegram, type Telegram } from '../standins/telegram.js';

const LIMIT = 16 * 1_048_576;
let engine: Engine;
let telegram: Telegram;
let daemon: Daemon;
beforeAll(async () => {
  engine = await startEngine();
  telegram = await startTelegram();
  daemon = await startDaemon({
    DOCKER_HOST: engine.dockerHost,
    ...telegram.settings,
  });
});
afterAll(async () => {
  await daemon?.remove();
  await telegram?.close();
  await engine?.stop();
});

const about = (name: string) =>
  telegram.sent.filter(
    ({ plain }) => plain.includes(`in container ${name}`) || plain.includes(`Service: ${name}\n`),
  );

test('an OOM loop: the first kill, then once that it goes on; each kill is counted, another container is told', async () => {
  await engine.clear();
  const id = await engine.run({
    name: 'greedy',
    memory: LIMIT,
    restartPolicy: 'always',
    // The shell outlives what is killed: of a group that is gone the engine reads the kernel's counter only when it is quick.
    command: ['sh', '-c', 'sleep 1; tail /dev/zero; sleep 0.3; exit 137'],
  });
  const restarts = async () =>
    ((await engine.api('GET', `/containers/${id}/json`)) as { RestartCount: number }).RestartCount;
  await until(async () => (await restarts()) >= 6, 'the sixth restart');
  await engine.run({ name: 'other', memory: LIMIT, command: ['tail', '/dev/zero'] });
  await until(() => about('other').some(({ plain }) => /Out of memory/.test(plain)), 'the other one');
  await until(async () => (await restarts()) >= 7, 'the seventh restart');
  await engine.docker.stop(id, 1);
  const kills = async () => {
    const { stdout } = await vpsmon([
      'incidents',
      '--json',
      '--config',
      daemon.conf,
      '--state-dir',
      daemon.stateDir,
    ]);
    const { incidents } = JSON.parse(stdout) as {
      incidents: { rule: string; subject: string; changes: number }[];
    };
    return incidents.filter((one) => one.rule === 'oom-kill' && one.subject === 'greedy');
  };
  await expect.poll(kills, { interval: 500 }).toMatchObject([{ changes: await restarts() }]);
  await new Promise((resolve) => setTimeout(resolve, 1000));

  // A machine that needs longer for a restart than the monitor waits for one (2 s) has the container back as news of its own.
  const slowRestart = /Service Restored[^]*Down for: (?!1 s$)/m;
  const told = about('greedy').filter(
    ({ plain }) => !/Service Started/.test(plain) && !slowRestart.test(plain),
  );
  const titles = told.map(({ plain }) => plain.split('\n')[0]);
  expect(titles, telegram.sent.map(({ plain }) => plain).join('\n\n')).toHaveLength(2);
  expect(titles[0]).toMatch(/^CRITICAL: Out of memory: the kernel killed tail .* in container greedy/);
  expect(told[0]!.plain).toContain('its memory limit is 16 MB');
  expect(titles[1]).toMatch(/^⚠️ Service Malfunction Detected/);
});
