// PostgreSQL and Redis of our own on free loopback ports, for the bench.
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { join } from 'node:path';
import { sleep } from './measure.js';

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function answers(port) {
  for (let i = 0; i < 200; i += 1) {
    const open = await new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      }).on('error', () => resolve(false));
    });
    if (open) return;
    await sleep(50);
  }
  throw new Error(`nothing listens on port ${port}`);
}

/** Starts both below `work`; the settings name them. Root only: PostgreSQL runs as the user postgres. */
export async function startBenchDatabases(work) {
  const root = '/usr/lib/postgresql';
  const version = existsSync(root) ? readdirSync(root).sort().at(-1) : undefined;
  if (!version) throw new Error('PostgreSQL is missing: apt-get install postgresql');
  if (!existsSync('/usr/bin/redis-server')) throw new Error('Redis is missing: apt-get install redis-server');
  const bin = join(root, version, 'bin');
  const data = join(work, 'pg');
  mkdirSync(data);
  const [uid, gid] = ['-u', '-g'].map((flag) =>
    Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout),
  );
  chownSync(data, uid, gid);
  chmodSync(work, 0o755);
  const made = spawnSync(join(bin, 'initdb'), ['-D', data, '-A', 'trust', '-N'], {
    uid,
    gid,
    encoding: 'utf8',
    cwd: '/',
  });
  if (made.status !== 0) throw new Error(made.stderr);
  const [pgPort, redisPort] = [await freePort(), await freePort()];
  const children = [
    spawn(join(bin, 'postgres'), ['-D', data, '-p', String(pgPort), '-k', data, '-h', '127.0.0.1'], {
      uid,
      gid,
      stdio: 'ignore',
      cwd: '/',
    }),
    spawn('redis-server', ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', '', '--dir', work], {
      stdio: 'ignore',
    }),
  ];
  await Promise.all([answers(pgPort), answers(redisPort)]);
  return {
    settings: {
      POSTGRES_URL: `postgres://postgres@127.0.0.1:${pgPort}/postgres`,
      REDIS_URL: `redis://127.0.0.1:${redisPort}`,
    },
    async stop() {
      for (const child of children) {
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGINT');
        await ended;
      }
    },
  };
}
