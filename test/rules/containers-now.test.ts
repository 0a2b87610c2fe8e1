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
