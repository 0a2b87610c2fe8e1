import { describe, expect, test } from 'vitest';
import type { ServiceSettings } from '../../src/config/schema.ts';
import type { ContainerInfo } from '../../src/model/snapshot.ts';
import { containerInfo } from '../helpers/snapshots.ts';
import { judged, MB, ok, short, type Given } from './judge.ts';

const services: ServiceSettings[] = [{ name: 'n8n', memoryWarningMb: 400, memoryCriticalMb: 600 }];
function judge(containers: ContainerInfo[], given: Given = { extra: { services } }) {
  return judged('container-memory', { docker: ok({ version: '28', apiVersion: '1.48', containers }) }, given);
}
const holding = (mb: number, more: Partial<ContainerInfo> = {}) =>
  containerInfo('n8n', { memory: { workingSetBytes: 2 * mb * MB, anonBytes: mb * MB }, ...more });

describe('container-memory', () => {
  test.each([
    [359, 'ok'],
    [360, 'between'],
    [400, 'between'],
    [401, 'warning'],
    [600, 'warning'],
    [601, 'critical'],
  ])('%d MB of anonymous memory: %s', (mb, expected) => {
    expect(judge([holding(mb)]).map(short)).toEqual([expected]);
  });

  test('U3: what was swapped out counts: 250 + 468 MB are above 600', () => {
    const memory = { workingSetBytes: 300 * MB, anonBytes: 250 * MB, swapBytes: 468 * MB };
    const [finding] = judge([containerInfo('n8n', { memory })]);
    expect(finding).toMatchObject({ verdict: 'breach', severity: 'critical', value: 718 * MB });
    expect(finding!.text).toBe('n8n holds 718 MB of memory, 468 MB of it in swap, above 600 MB');
  });

  test('only one limit given', () => {
    const given = (one: Partial<ServiceSettings>) => ({ extra: { services: [{ name: 'n8n', ...one }] } });
    expect(judge([holding(700)], given({ memoryWarningMb: 400 })).map(short)).toEqual(['warning']);
    expect(judge([holding(500)], given({ memoryCriticalMb: 600 })).map(short)).toEqual(['ok']);
    expect(judge([holding(700)], given({ memoryCriticalMb: 600 })).map(short)).toEqual(['critical']);
  });

  test('no threshold, no finding; other containers neither', () => {
    expect(judge([holding(5000)], {})).toEqual([]);
    expect(judge([containerInfo('other')])).toEqual([]);
  });

  test('by Compose service, with limit and growth', () => {
    const container = holding(450, { name: 'shop-n8n-1', service: 'n8n', limitBytes: 512 * MB });
    const [finding] = judge([container], {
      extra: { services },
      past: { growth: [{ name: 'shop-n8n-1', bytesPerHour: 20 * MB }] },
    });
    expect(finding).toMatchObject({ subject: 'shop-n8n-1', alias: 'n8n', value: 450 * MB, limit: 400 * MB });
    expect(finding!.text).toBe('shop-n8n-1 holds 450 MB of memory, above 400 MB');
    expect(finding!.details).toEqual(['Its limit is 512 MB', 'It grows by 20 MB/h']);
  });

  test('stopped: it holds none. Running and not measured: unknown', () => {
    const { memory: _, ...unmeasured } = holding(1);
    expect(judge([{ ...unmeasured, state: 'exited' }]).map(short)).toEqual(['ok']);
    expect(judge([unmeasured]).map(short)).toEqual(['unknown']);
  });
});
