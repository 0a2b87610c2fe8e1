import { expect, test, vi } from 'vitest';
import { whenFound } from '../../src/collectors/absent.ts';
import type { CollectorDeps } from '../../src/collectors/types.ts';
import type { RedisValues } from '../../src/model/snapshot.ts';
import type { Discovered, RedisTarget } from '../../src/model/targets.ts';

test('loads the code of a source when there is something to ask, and not before', async () => {
  let found: Discovered = { missing: {} };
  const read = vi.fn(async () => ({ address: 'here:6379' }) as RedisValues);
  const close = vi.fn();
  const load = vi.fn(async () => () => ({ read, close }));
  const deps = { discovered: async () => found } as unknown as CollectorDeps;
  const collector = whenFound(['redis'], load)(deps);
  const { signal } = new AbortController();

  expect(await collector.read(signal)).toEqual({ absent: 'no Redis was found' });
  found = { missing: { redis: 'it listens nowhere' }, unreadable: ['redis'] };
  await expect(collector.read(signal)).rejects.toThrow('it is here, and not watched: it listens nowhere');
  await collector.close?.();
  expect(load).not.toHaveBeenCalled();

  found = { missing: {}, redis: {} as RedisTarget };
  await collector.read(signal);
  // Once loaded it answers for itself, for it may have connections to let go.
  found = { missing: {} };
  await collector.read(signal);
  await collector.close?.();
  expect([load, read, close].map((f) => f.mock.calls.length)).toEqual([1, 2, 1]);
});
