// A Docker engine of our own with N sleeping containers, for the bench.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, existsSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { sleep } from './measure.js';

function call(socketPath, method, path, body) {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers =
      text === undefined
        ? {}
        : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) };
    const req = request({ socketPath, method, path, headers }, (response) => {
      let answer = '';
      response.on('data', (chunk) => (answer += chunk));
      response.on('end', () => {
        if (response.statusCode >= 400)
          reject(new Error(`${method} ${path}: ${response.statusCode} ${answer}`));
        else resolve(answer === '' ? undefined : answer);
      });
    });
    req.on('error', reject);
    req.end(text);
  });
}

/** Starts dockerd in `work` with this many containers of one sleeping process each. */
export async function startBenchEngine(work, count) {
  if (!existsSync('/usr/sbin/dockerd') && !existsSync('/usr/bin/dockerd'))
    throw new Error('dockerd is missing: apt-get install docker.io');
  if (!existsSync('/bin/busybox')) throw new Error('busybox is missing: apt-get install busybox-static');
  const socket = join(work, 'docker.sock');
  const child = spawn(
    'dockerd',
    [
      '--bridge=none',
      '--iptables=false',
      '--data-root',
      join(work, 'data'),
      '--exec-root',
      join(work, 'exec'),
      '-H',
      `unix://${socket}`,
      '--pidfile',
      join(work, 'docker.pid'),
    ],
    { stdio: ['ignore', 'ignore', 'ignore'] },
  );
  for (let i = 0; ; i += 1) {
    try {
      await call(socket, 'GET', '/_ping');
      break;
    } catch (error) {
      if (i > 300) throw error;
      await sleep(100);
    }
  }
  const image = join(work, 'image');
  mkdirSync(join(image, 'bin'), { recursive: true });
  cpSync('/bin/busybox', join(image, 'bin/busybox'));
  spawnSync(
    'sh',
    [
      '-c',
      `cd ${image}/bin && for a in sh sleep; do ln -sf busybox $a; done; tar -C ${image} -c . | docker -H unix://${socket} import - bench:latest`,
    ],
    { stdio: 'ignore' },
  );
  let running = 0;
  const name = (i) => `bench-${i}`;

  async function add(i) {
    const created = await call(socket, 'POST', `/containers/create?name=${name(i)}`, {
      Image: 'bench:latest',
      Cmd: ['sleep', '1000000'],
      HostConfig: { NetworkMode: 'none', Memory: 32 * 1_048_576 },
    });
    await call(socket, 'POST', `/containers/${JSON.parse(created).Id}/start`);
  }

  /** Starts more of them, or removes the last ones, until there are so many; eight at a time. */
  async function resize(wanted) {
    for (; running < wanted; running = Math.min(wanted, running + 8))
      await Promise.all(range(running, Math.min(wanted, running + 8)).map(add));
    const removed = range(wanted, running);
    running = wanted;
    while (removed.length > 0)
      await Promise.all(
        removed.splice(0, 8).map((i) => call(socket, 'DELETE', `/containers/${name(i)}?force=1`)),
      );
  }

  async function stop() {
    await resize(0).catch((error) => console.error(`bench: ${error.message}`));
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
    // One that was killed leaves its folder mounted onto itself, and then nobody can remove it.
    spawnSync('umount', ['--lazy', join(work, 'data')], { stdio: 'ignore' });
  }

  try {
    await resize(count);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    socket,
    pid: child.pid,
    resize,
    stop,
    /** The process of the container with this number. */
    async pidOf(i) {
      return JSON.parse(await call(socket, 'GET', `/containers/${name(i)}/json`)).State.Pid;
    },
  };
}

function range(from, to) {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}
