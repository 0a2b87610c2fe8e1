// The monitor killed while something is going on: when it is back, it tells what it had not told, and only that.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDaemon, until, type Daemon } from '../helpers/daemon.ts';
import { startEngine, type Engine } from '../helpers/docker-engine.ts';
import { startTelegram, type Telegram } from '../standins/telegram.js';

let engine: Engine;
let telegram: Telegram;
let daemon: Daemon | undefined;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(async () => {
  await daemon?.remove();
  await telegram?.close();
  await engine?.stop();
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const told = (text: RegExp) => telegram.sent.filter(({ plain }) => text.test(plain));

test('SIGKILL: each change is told once, with its cause', async () => {
  await engine.clear();
  await daemon?.remove();
  telegram = await startTelegram();
  const ids = new Map<string, string>();
  for (const name of ['told', 'asked', 'policy', 'later', 'stays'])
    ids.set(name, await engine.run({ name, restartPolicy: name === 'policy' ? 'always' : 'no' }));
  const kill = async (name: string) =>
    process.kill((await engine.docker.inspect(ids.get(name)!)).state.pid, 'SIGKILL');
  daemon = await startDaemon({
    DOCKER_HOST: engine.dockerHost,
    ...telegram.settings,
  });
  await until(() => told(/Service Monitor Started/).length === 1, 'the start');

  // Not told yet: whether a successor comes, whether it comes up again. Told at once, which writes how far it has read: a crash.
  await engine.docker.stop(ids.get('asked')!, 1);
  await kill('told');
  await until(() => told(/Service Stopped/).length === 1, 'the crash');
  // Marked as sent, too: one that is on its way when it is killed comes once more.
  await until(async () => (await daemon?.health())?.alerts_waiting === 0, 'the mark');
  // At once: what it would report about this one after 2 seconds it never reports.
  await kill('policy');
  await daemon.stop('SIGKILL');
  await until(async () => {
    const { restartCount, state } = await engine.docker.inspect(ids.get('policy')!);
    return restartCount === 1 && state.status === 'running';
  }, 'its restart');
  await kill('later');
  await until(async () => (await engine.docker.inspect(ids.get('later')!)).state.pid === 0, 'its end');
  // Not what it has to say about this machine.
  const changes = () =>
    told(/Service (?:Monitor|St|Rest|Mal)|on request, running|redeployed|While it was away/);
  const before = changes().length;
  // On a slow machine 20 seconds were over: then it was told before.
  const isAskedTold = told(/Service: asked\n/).length > 0;
  await daemon.start();
  await until(() => told(/Service Monitor Started/).length === 2, 'the second start');
  await sleep(3000);

  const after = changes()
    .slice(before)
    .map(({ plain }) => plain);
  expect(after, after.join('\n\n')).toHaveLength(1);
  const lines = after[0]!.split('\n');
  const heading = lines.findIndex((line) => line.startsWith('While it was away'));
  expect(lines[heading]).toMatch(/^While it was away \(at most [^)]+\):$/);
  expect(lines.slice(heading + 1).toSorted()).toEqual(
    [
      '🔄 policy was restarted by its restart policy: killed from outside Docker, exit code 137 (SIGKILL)',
      ...(isAskedTold ? [] : ['🔴 asked stopped: on request (SIGKILL), exit code 137']),
      '🔴 later stopped: killed from outside Docker, exit code 137 (SIGKILL)',
    ].toSorted(),
  );
});
