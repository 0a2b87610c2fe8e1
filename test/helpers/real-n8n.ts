// A real n8n in queue mode: PostgreSQL, Redis, a main process and a worker, all on loopback and all its own.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { startOwn, type OwnProcess } from './own-process.ts';
import { startPostgres, type PostgresServer } from './postgres-server.ts';
import { startRedis, type RedisServer } from './redis-server.ts';

export type RealN8n = {
  url: string;
  postgres: PostgresServer;
  redis: RedisServer;
  /** A new API key; `revokeKeys` ends all of them. */
  makeKey(): Promise<string>;
  revokeKeys(): Promise<void>;
  /** Calls the public API with a key; throws for anything but 2xx. */
  api(method: string, path: string, body?: unknown): Promise<Record<string, unknown>>;
  startMain(): Promise<void>;
  stopMain(signal?: NodeJS.Signals): Promise<void>;
  startWorker(): Promise<void>;
  stopWorker(signal?: NodeJS.Signals): Promise<void>;
  remove(): Promise<void>;
};

const OWNER = { email: 'owner@example.org', firstName: 'O', lastName: 'W', password: 'Passw0rd-x1' };
const SCOPES = [
  ...['list', 'read', 'activate', 'deactivate', 'create', 'update', 'delete'].map((one) => `workflow:${one}`),
  ...['create', 'list', 'read'].map((one) => `tag:${one}`),
  'workflowTags:update',
  'workflowTags:list',
  'execution:list',
  'execution:read',
];

/**
 * The program of n8n: `N8N_BIN` (the path of `n8n/bin/n8n`), else `N8N_VERSION` (2.8.4) from npm into a folder below the temporary
 * one, which takes some minutes and stays for the next time.
 */
function n8nProgram(): string {
  const given = process.env['N8N_BIN'];
  if (given !== undefined && given !== '') return given;
  const version = process.env['N8N_VERSION'] ?? '2.8.4';
  const folder = join(tmpdir(), `vpsmon-n8n-${version}`);
  const program = join(folder, 'node_modules/n8n/bin/n8n');
  if (existsSync(program)) return program;
  execFileSync('mkdir', ['-p', folder]);
  // Their newest releases build native code on installation, which nothing here needs.
  const overrides = { xlsx: '0.18.5', 'isolated-vm': '5.0.4' };
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'n8n-for-tests', private: true, overrides }),
  );
  const options = ['--ignore-scripts', '--no-audit', '--no-fund'];
  execFileSync('npm', ['install', `n8n@${version}`, ...options], { cwd: folder, stdio: 'inherit' });
  return program;
}

/** Everything but main and worker is up when this resolves. */
export async function startRealN8n(): Promise<RealN8n> {
  const program = n8nProgram();
  const folder = mkdtempSync(join(tmpdir(), 'vpsmon-real-n8n-'));
  const [port, broker, workerPort] = [await freePort(), await freePort(), await freePort()];
  const [postgres, redis] = await Promise.all([
    startPostgres({ settings: { max_connections: '60' } }),
    startRedis({ password: 'r3d-is pw', settings: ['--appendonly', 'yes'] }),
  ]);
  await postgres.sql('CREATE DATABASE n8n');
  const url = `http://127.0.0.1:${port}`;
  const env: Record<string, string> = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    N8N_USER_FOLDER: folder,
    N8N_LISTEN_ADDRESS: '127.0.0.1',
    N8N_HOST: '127.0.0.1',
    N8N_PORT: String(port),
    N8N_ENCRYPTION_KEY: 'for-loopback-tests-only-0123456789',
    N8N_DIAGNOSTICS_ENABLED: 'false',
    N8N_VERSION_NOTIFICATIONS_ENABLED: 'false',
    N8N_TEMPLATES_ENABLED: 'false',
    N8N_PERSONALIZATION_ENABLED: 'false',
    N8N_HIRING_BANNER_ENABLED: 'false',
    N8N_COMMUNITY_PACKAGES_ENABLED: 'false',
    N8N_SECURE_COOKIE: 'false',
    N8N_RUNNERS_ENABLED: 'false',
    N8N_EXPRESSION_ENGINE: 'legacy',
    EXECUTIONS_MODE: 'queue',
    OFFLOAD_MANUAL_EXECUTIONS_TO_WORKERS: 'false',
    QUEUE_BULL_REDIS_HOST: '127.0.0.1',
    QUEUE_BULL_REDIS_PORT: String(redis.port),
    QUEUE_BULL_REDIS_PASSWORD: redis.password,
    DB_TYPE: 'postgresdb',
    DB_POSTGRESDB_HOST: '127.0.0.1',
    DB_POSTGRESDB_PORT: String(postgres.port),
    DB_POSTGRESDB_DATABASE: 'n8n',
    DB_POSTGRESDB_USER: postgres.user,
    DB_POSTGRESDB_PASSWORD: postgres.password,
    NODE_OPTIONS: '--max-old-space-size=1024',
  };
  const worker = { N8N_RUNNERS_BROKER_PORT: String(broker), QUEUE_HEALTH_CHECK_PORT: String(workerPort) };
  let [main, taker]: (OwnProcess | undefined)[] = [];
  let cookie = '';
  let key = '';

  function start(extra: Record<string, string>, args: string[]): OwnProcess {
    const variables = Object.entries({ ...env, ...extra }).map(([name, value]) => `${name}=${value}`);
    return startOwn('/usr/bin/env', ['-i', ...variables, process.execPath, program, ...args]);
  }
  async function until(what: string, works: () => Promise<boolean>): Promise<void> {
    const end = Date.now() + 180_000;
    while (Date.now() < end) {
      if (await works().catch(() => false)) return;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    throw new Error(
      `${what} did not happen:\n${main?.output().slice(-3000)}\n${taker?.output().slice(-3000)}`,
    );
  }
  async function rest(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const answer = await fetch(`${url}/rest${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...(cookie ? { cookie } : {}) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const set = answer.headers.getSetCookie().map((one) => one.split(';')[0]);
    if (set.length > 0) cookie = set.join('; ');
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`);
    return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
  }

  const n8n: RealN8n = {
    url,
    postgres,
    redis,
    async startMain() {
      main = start({}, ['start']);
      // It says that it is ready some seconds before it answers.
      await until('the start of n8n', async () => {
        const answer = await fetch(`${url}/rest/settings`);
        return answer.ok && (await answer.text()).startsWith('{');
      });
      if (cookie === '') {
        await rest('POST', '/owner/setup', OWNER);
        await rest('POST', '/login', { emailOrLdapLoginId: OWNER.email, password: OWNER.password });
      }
    },
    async stopMain(signal = 'SIGTERM') {
      await main?.end(signal);
      main = undefined;
    },
    async startWorker() {
      taker = start(worker, ['worker', '--concurrency=2']);
      // A worker without a worker's name on its connection takes no jobs.
      await until('the start of a worker', async () =>
        String(await redis.call('CLIENT', 'LIST')).includes('name=bull:'),
      );
    },
    async stopWorker(signal = 'SIGKILL') {
      await taker?.end(signal);
      taker = undefined;
      await until(
        'the end of the worker',
        async () => !String(await redis.call('CLIENT', 'LIST')).includes('name=bull:'),
      );
    },
    async makeKey() {
      const label = `key ${Date.now()}`;
      const { data } = await rest('POST', '/api-keys', { label, scopes: SCOPES, expiresAt: null });
      key = (data as { rawApiKey: string }).rawApiKey;
      return key;
    },
    async revokeKeys() {
      const { data } = await rest('GET', '/api-keys');
      for (const { id } of data as { id: string }[]) await rest('DELETE', `/api-keys/${id}`);
    },
    async api(method, path, body) {
      const answer = await fetch(`${url}/api/v1${path}`, {
        method,
        headers: { 'content-type': 'application/json', 'X-N8N-API-KEY': key },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`);
      return (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
    },
    async remove() {
      await Promise.all([main?.end('SIGKILL'), taker?.end('SIGKILL')]);
      await Promise.all([postgres.remove(), redis.remove()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return n8n;
}
