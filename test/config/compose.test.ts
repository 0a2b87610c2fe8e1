import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { expect, test } from 'vitest';
import { KEY_NAMES } from '../../src/config/schema.ts';
import { loadConfig } from '../../src/config/load.ts';

const folder = fileURLToPath(new URL('../../config', import.meta.url));
type Service = Record<string, unknown> & {
  build: { context: string; dockerfile: string };
  environment: string[];
};
const compose = parse(readFileSync(join(folder, 'docker-compose.example.yml'), 'utf8')) as {
  services: Record<string, Service>;
  networks: object;
  volumes: object;
};
const monitor = compose.services['service-monitor']!;

test('the example has what it promises: port, socket, network, depends_on', () => {
  expect(monitor).toMatchObject({
    container_name: 'stardust-service-monitor',
    restart: 'unless-stopped',
    read_only: true,
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
  });
  expect(monitor['ports']).toEqual([expect.stringMatching(/8100:8080$/)]);
  expect(monitor['volumes']).toContain('/var/run/docker.sock:/var/run/docker.sock:ro');
  expect(monitor['user']).toBeUndefined();
});

test('everything it refers to is there', () => {
  expect(existsSync(resolve(folder, monitor.build.context, monitor.build.dockerfile))).toBe(true);
  for (const service of Object.values(compose.services)) {
    for (const name of (service['depends_on'] as string[] | undefined) ?? [])
      expect(compose.services).toHaveProperty(name);
    for (const name of service['networks'] as string[]) expect(compose.networks).toHaveProperty(name);
  }
  const named = (monitor['volumes'] as string[]).map((volume) => volume.split(':')[0]!);
  for (const name of named.filter((n) => !n.startsWith('/'))) expect(compose.volumes).toHaveProperty(name);
});

test('its environment is a configuration without problems, with nothing set and with everything', async () => {
  const text = (values: Record<string, string>) =>
    Object.fromEntries(
      monitor.environment.map((line) => {
        const [key = '', value = ''] = line.split(/=(.*)/s);
        return [key, value.replace(/\$\{(\w+):-\}/g, (_, name: string) => values[name] ?? '')];
      }),
    );
  const telegram = {
    TELEGRAM_BOT_TOKEN: '1234567890:ABCdefGHIjklMNOpqrsTUVwxyz',
    TELEGRAM_CHAT_ID: '-1234567890',
  };
  for (const env of [text({}), text(telegram)]) {
    expect(KEY_NAMES).toEqual(expect.arrayContaining(Object.keys(env)));
    const loaded = await loadConfig({ env, cwd: '/nonexistent', uid: 10_001, etcDir: '/nonexistent' });
    expect('config' in loaded && loaded.config.warnings).toEqual([]);
  }
});
