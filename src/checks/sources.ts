import { whenFound } from '../collectors/absent.ts';
import { createDocker } from '../collectors/docker.ts';
import { createHost } from '../collectors/host.ts';
import { createOom } from '../collectors/oom.ts';
import { createPressure } from '../collectors/pressure.ts';
import type { CollectorFactory } from '../collectors/types.ts';
import type { RulesOf, Source } from '../model/sources.ts';
import { containerMemory } from '../rules/container-memory.ts';
import { disk, diskReadOnly, inodes } from '../rules/disk.ts';
import { forecast } from '../rules/forecast.ts';
import { memoryAvailable, memoryPressure } from '../rules/memory.ts';
import { n8nFailures, n8nHealth, n8nKey, n8nLost, n8nQueue, n8nWorkers } from '../rules/n8n.ts';
import { oomKill } from '../rules/oom.ts';
import {
  postgresCache,
  postgresConnections,
  postgresSlot,
  postgresStandby,
  postgresWraparound,
} from '../rules/postgres.ts';
import { redisEvictions, redisReplica, redisWrites } from '../rules/redis.ts';
import { swapIn, swapUsed } from '../rules/swap.ts';
import type { Judge } from '../rules/types.ts';
import { wahaSession } from '../rules/waha.ts';

type Check<S extends Source> = {
  /** Docker reports kills to the one of `oom`, too. */
  collector: S extends 'oom' ? typeof createOom : CollectorFactory<S>;
  rules: { readonly [Id in RulesOf<S>]: Judge<S> };
};

/** How each source of src/model/sources is read, and what judges it. A source or a rule that is missing here does not compile. */
export const CHECKS: { [S in Source]: Check<S> } = {
  host: {
    collector: createHost,
    rules: {
      'memory-available': memoryAvailable,
      'swap-used': swapUsed,
      'swap-in': swapIn,
      disk,
      inodes,
      'disk-read-only': diskReadOnly,
      forecast,
    },
  },
  pressure: { collector: createPressure, rules: { 'memory-pressure': memoryPressure } },
  oom: { collector: createOom, rules: { 'oom-kill': oomKill } },
  docker: { collector: createDocker, rules: { 'container-memory': containerMemory } },
  postgres: {
    collector: whenFound(
      ['postgres'],
      async () => (await import('../collectors/postgres.ts')).createPostgres,
    ),
    rules: {
      'postgres-cache': postgresCache,
      'postgres-connections': postgresConnections,
      'postgres-standby': postgresStandby,
      'postgres-slot': postgresSlot,
      'postgres-wraparound': postgresWraparound,
    },
  },
  redis: {
    collector: whenFound(['redis'], async () => (await import('../collectors/redis.ts')).createRedis),
    rules: {
      'redis-writes': redisWrites,
      'redis-evictions': redisEvictions,
      'redis-replica': redisReplica,
    },
  },
  n8n: {
    collector: whenFound(['n8n'], async () => (await import('../collectors/n8n.ts')).createN8n),
    rules: {
      'n8n-queue': n8nQueue,
      'n8n-workers': n8nWorkers,
      'n8n-lost': n8nLost,
      'n8n-failures': n8nFailures,
      'n8n-key': n8nKey,
      'n8n-health': n8nHealth,
    },
  },
  waha: {
    collector: whenFound(['waha'], async () => (await import('../collectors/waha.ts')).createWaha),
    rules: { 'waha-session': wahaSession },
  },
  sql: {
    collector: whenFound(['postgres', 'n8n'], async () => (await import('../collectors/sql.ts')).createSql),
    rules: {},
  },
};
