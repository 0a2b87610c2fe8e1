// An engine that is slow, hangs or holds its events back, asked by real clients with less patience than doctor has.
import { createServer, type RequestListener, type Server } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { examineDocker } from '../../src/doctor/docker.ts';
import { openDocker } from '../../src/system/docker/docker.ts';

let folder: string;
let server: Server;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vpsmon-doctor-docker-'));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const VERSION = { Version: '28.0.0', ApiVersion: '1.48', MinAPIVersion: '1.24' };

/** Starts an engine that answers like this; its DOCKER_HOST. */
async function engine(answer: RequestListener): Promise<string> {
  const path = join(folder, 'docker.sock');
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return `unix://${path}`;
}
/** What a healthy engine answers. */
const answerOf: RequestListener = (request, response) =>
  void response.end(JSON.stringify(request.url === '/version' ? VERSION : []));

it('an engine that hangs is asked twice', async () => {
  let asked = 0;
  const address = await engine(() => undefined);
  const clients = [100, 200].map((deadlineMs) => {
    const client = openDocker(address, { deadlineMs });
    // Counted where it is asked: on a busy machine the deadline may pass before the engine has read a word.
    const version: typeof client.version = (signal) => {
      asked += 1;
      return client.version(signal);
    };
    return { ...client, version };
  });
  const lines = await examineDocker(clients[0]!, true, clients[1]!);
  expect(asked).toBe(2);
  expect(lines).toMatchObject([
    {
      name: 'docker',
      state: 'failed',
      text: expect.stringMatching(/asked twice: it hangs, or the machine is too busy for it/),
      advice: expect.stringMatching(/^look whether the machine is busy/),
    },
  ]);
});

it.each(['null', '[]', '{"status":"ok"}', '{"Version":{},"ApiVersion":[]}'])(
  'what answers %s is no engine, and no old one',
  async (body) => {
    const docker = openDocker(await engine((_, response) => void response.end(body)), { deadlineMs: 60_000 });
    const [line] = await examineDocker(docker, true, docker);
    docker.close();
    expect(line).toMatchObject({
      name: 'docker',
      state: 'failed',
      text: expect.stringMatching(/something else/),
    });
  },
);

it.each([
  ['Docker', {}],
  ['podman', { Components: [{ Name: 'Podman Engine' }] }],
])('U12: one slow answer of %s is a busy machine, and no reason to restart it', async (name, more) => {
  let busy = true;
  const address = await engine((request, response) => {
    if (busy) return;
    if (request.url === '/version') response.end(JSON.stringify({ ...VERSION, ...more }));
    else answerOf(request, response);
  });
  const patient = openDocker(address, { deadlineMs: 60_000 });
  const lines = await examineDocker(openDocker(address, { deadlineMs: 100 }), true, {
    ...patient,
    version(signal) {
      busy = false;
      return patient.version(signal);
    },
  });
  patient.close();
  expect(lines).toMatchObject([
    {
      name: 'docker',
      state: 'warning',
      text: expect.stringMatching(
        RegExp(`^${name} .* is slow: it answered the second question.*the machine is busy`),
      ),
      advice: expect.stringMatching(RegExp(`^look who keeps it busy.*no need to restart ${name}`)),
    },
  ]);
});

it('S4: an event stream that never begins is a source that failed', async () => {
  const address = await engine((request, response) => {
    if (!request.url?.includes('/events')) answerOf(request, response);
  });
  // Only what never comes is given up soon: a busy machine may need seconds for what does.
  const [patient, hasty] = [60_000, 500].map((deadlineMs) => openDocker(address, { deadlineMs }));
  const docker = { ...patient!, events: hasty!.events.bind(hasty) };
  const [version, events] = await examineDocker(docker, true, docker);
  for (const client of [patient, hasty]) client?.close();
  expect(version).toMatchObject({ name: 'docker', state: 'ok' });
  expect(events).toMatchObject({
    name: 'docker events',
    state: 'failed',
    text: expect.stringMatching(/cannot be followed: no answer from .*seen late/),
    advice: expect.stringMatching(/^let the socket proxy pass/),
  });
});
