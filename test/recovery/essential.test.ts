import { expect, it } from 'vitest';
import { whyEssential } from '../../src/discovery/essential.ts';
import { testConfig } from '../helpers/recovery-deps.ts';

const settings = () => testConfig({ ESSENTIAL_CONTAINERS: ['postgres', 'n8n', 'traefik'] });
const why = (name: string, image: string, aliases: string[] = [], config = settings()) =>
  whyEssential({ name, image, self: false }, config, { networks: { shop: { address: '', aliases } } });

it.each([
  ['stack-db-1', 'postgres:16', 'postgres in ESSENTIAL_CONTAINERS'],
  ['n8n-main', 'registry.example/automation:1', 'n8n in ESSENTIAL_CONTAINERS'],
  ['postgres_postgres.1.abcdefghij', 'busybox', 'postgres in ESSENTIAL_CONTAINERS'],
  ['stack-n8n-worker-1', 'n8nio/n8n', 'n8n in ESSENTIAL_CONTAINERS'],
  ['cache', 'valkey/valkey:8', 'its image is redis'],
  ['web', 'nginx', undefined],
])('A17: why %s (%s) is never stopped: %s', (name, image, expected) => {
  expect(why(name, image)).toBe(expected);
});

it('A17: vpsmon.yaml has the last word, both ways; a Compose service counts by its alias', () => {
  expect(why('shop-1', 'busybox', ['traefik'])).toBe('traefik in ESSENTIAL_CONTAINERS');
  const config = settings();
  config.extra.services = [
    { name: 'cache', essential: false },
    { name: 'web', essential: true },
  ] as typeof config.extra.services;
  expect(why('cache', 'valkey/valkey:8', [], config)).toBeUndefined();
  expect(why('web', 'nginx', [], config)).toBe('essential in vpsmon.yaml');
});

it('A17: what an address of monitor.conf names is essential, whatever its image', () => {
  const set = testConfig({ POSTGRES_URL: 'postgres://u:p@Shop-DB:5432/x', REDIS_HOST: 'shop-cache' });
  const of = (name: string) => whyEssential({ name, image: 'me/own:1', self: false }, set);
  expect(of('shop-db')).toBe('POSTGRES_URL names it');
  expect(of('shop-cache')).toBe('REDIS_HOST names it');
  expect(of('u')).toBeUndefined();
  expect(of('shop')).toBeUndefined();
});
