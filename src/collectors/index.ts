import { createDocker } from './docker.ts';
import { createHost } from './host.ts';
import { createN8n } from './n8n.ts';
import { createOom } from './oom.ts';
import { createPostgres } from './postgres.ts';
import { createPressure } from './pressure.ts';
import { createRedis } from './redis.ts';
import { createSql } from './sql.ts';
import type { CollectorFactory } from './types.ts';
import { createWaha } from './waha.ts';
import type { Source } from '../model/snapshot.ts';

/** Every source there is. A name in SOURCES without a line here does not compile. */
export const COLLECTORS = {
  host: createHost,
  pressure: createPressure,
  oom: createOom,
  docker: createDocker,
  postgres: createPostgres,
  redis: createRedis,
  n8n: createN8n,
  waha: createWaha,
  sql: createSql,
} satisfies { [S in Source]: CollectorFactory<S> };
