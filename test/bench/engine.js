// A Docker engine of our own with N sleeping containers, for the bench.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, existsSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

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
  /** Starts more of them, until there are so many. */
  async function growTo(wanted) {
    for (; running < wanted; running += 1) {
      const created = await call(socket, 'POST', `/containers/create?name=bench-${running}`, {
        Image: 'bench:latest',
        Cmd: ['sleep', '1000000'],
        HostConfig: { NetworkMode: 'none', Memory: 32 * 1_048_576 },
      });
      await call(socket, 'POST', `/containers/${JSON.parse(created).Id}/start`);
    }
  }
  await growTo(count);
  return {
    socket,
    pid: child.pid,
    growTo,
    async stop() {
      const list = JSON.parse(await call(socket, 'GET', '/containers/json?all=1'));
      for (const container of list)
        await call(socket, 'DELETE', `/containers/${container.Id}?force=1`).catch(() => undefined);
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
    },
  };
}
