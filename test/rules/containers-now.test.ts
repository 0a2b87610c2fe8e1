import { expect, it } from 'vitest';
import type { ContainerInfo } from '../../src/model/snapshot.ts';
import { judgeContainersNow } from '../../src/rules/containers-now.ts';
import { testConfig } from '../helpers/recovery-deps.ts';
import { containerInfo } from '../helpers/snapshots.ts';

const texts = (settings: Parameters<typeof testConfig>[0], ...containers: ContainerInfo[]) =>
  judgeContainersNow(containers, testConfig(settings)).map(({ severity, text }) => `${severity}: ${text}`);

it('S5: what exists and does not serve is no service, for who looks once, too', () => {
  const wanted = { MONITORED_SERVICES: ['late'] };
  const late = (state: ContainerInfo['state']) => texts(wanted, containerInfo('late', { state }));
  expect(late('created')).toEqual(['warning: late was created and has not started']);
  expect(late('paused')).toEqual(['warning: late is paused']);
  expect(late('running')).toEqual([]);
  // A job that waits for its hour is nobody's trouble.
  expect(texts({}, containerInfo('job', { state: 'created' }))).toEqual([]);
});

it('S8, S9: a service of a stack is there, a name that nothing bears is not', () => {
  const task = containerInfo(`shop_web.1.${'a'.repeat(25)}`, { service: 'shop_web' });
  expect(texts({ MONITORED_SERVICES: ['web'] }, task)).toEqual([]);
  expect(texts({ MONITORED_SERVICES: ['api'] }, task)).toEqual([
    'warning: api is in MONITORED_SERVICES, but there is no such container',
  ]);
});

it('A17: what ESSENTIAL_CONTAINERS means by part of a name or by its image is needed, too; a job is not', () => {
  const stopped = { state: 'exited', exitCode: 0, restartPolicy: 'unless-stopped' } as const;
  const settings = { ESSENTIAL_CONTAINERS: ['postgres', 'n8n'] };
  const about = (name: string, info: Partial<ContainerInfo>) =>
    texts(settings, containerInfo(name, { ...stopped, ...info })).map((text) => text.split(' since')[0]);
  expect(about('shop-db-1', { image: 'postgres:16' })).toEqual([
    'critical: shop-db-1 is stopped, exit code 0',
  ]);
  expect(about('stack-n8n-worker-1', { image: 'own' })).toHaveLength(1);
  expect(about(`n8n_n8n.1.${'a'.repeat(25)}`, { image: 'own' })).toHaveLength(1);
  expect(about('cache', { image: 'valkey/valkey:8' })).toHaveLength(1);
  expect(about('web', { image: 'own' })).toEqual([]);
  expect(about('shop-backup-1', { image: 'postgres:16', restartPolicy: 'no' })).toEqual([]);
});
