import { whenFound } from './absent.ts';
import { createDocker } from './docker.ts';
import { createHost } from './host.ts';
import { createOom } from './oom.ts';
import { createPressure } from './pressure.ts';
import type { CollectorFactory } from './types.ts';
import type { Source } from '../model/snapshot.ts';

/** Every source there is. A name in SOURCES without a line here does not compile. */
export const COLLECTORS = {
  host: createHost,
  pressure: createPressure,
  oom: createOom,
  docker: createDocker,
  postgres: whenFound('postgres', ['postgres'], async () => (await import('./postgres.ts')).createPostgres),
  redis: whenFound('redis', ['redis'], async () => (await import('./redis.ts')).createRedis),
  n8n: whenFound('n8n', ['n8n'], async () => (await import('./n8n.ts')).createN8n),
  waha: whenFound('waha', ['waha'], async () => (await import('./waha.ts')).createWaha),
  sql: whenFound('sql', ['postgres', 'n8n'], async () => (await import('./sql.ts')).createSql),
} satisfies { [S in Source]: CollectorFactory<S> };
