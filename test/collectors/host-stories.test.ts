import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openCollectors } from '../../src/checks/collect.ts';
import { recordedDeps } from '../helpers/recorded-host.ts';

const HOSTS = join(import.meta.dirname, '../fixtures/hosts');
const SOURCES = ['host', 'pressure', 'oom', 'docker'] as const;

/** What the four sources say, without the time it took. */
async function look(collectors: ReturnType<typeof openCollectors>) {
  const { readings } = await collectors.collect({ only: [...SOURCES] });
  return Object.fromEntries(
    SOURCES.map((source) => {
      const { tookMs: _, ...reading } = readings[source] as { tookMs?: number };
      return [source, reading];
    }),
  );
}

// A bug report about a machine becomes a folder here, not code.
test.each(readdirSync(HOSTS))('%s', async (name) => {
  const dir = join(HOSTS, name);
  const host = recordedDeps(dir);
  const collectors = openCollectors(host.deps);
  const first = await look(collectors);
  host.passTime();
  const second = await look(collectors);
  await collectors.close();
  const all = host.hasLater ? { first, second } : { first };
  await expect(`${JSON.stringify(all, null, 2)}\n`).toMatchFileSnapshot(join(dir, 'expected.json'));
});
