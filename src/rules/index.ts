import { containerMemory } from './container-memory.ts';
import { disk, diskReadOnly, inodes } from './disk.ts';
import { forecast } from './forecast.ts';
import { memoryAvailable, memoryPressure } from './memory.ts';
import { n8nFailures, n8nHealth, n8nKey, n8nLost, n8nQueue, n8nWorkers } from './n8n.ts';
import { oomKill } from './oom.ts';
import { postgresCache, postgresConnections } from './postgres.ts';
import { redisEvictions, redisWrites } from './redis.ts';
import { swapIn, swapUsed } from './swap.ts';
import type { Rule } from './types.ts';
import { wahaSession } from './waha.ts';

/** Every rule that judges what a check has read. A new one is a file, a line here and its entry in model/rules.ts. */
export const RULES: readonly Rule[] = [
  memoryPressure,
  memoryAvailable,
  swapUsed,
  swapIn,
  disk,
  inodes,
  diskReadOnly,
  postgresCache,
  postgresConnections,
  oomKill,
  containerMemory,
  redisWrites,
  redisEvictions,
  n8nWorkers,
  n8nQueue,
  n8nHealth,
  n8nLost,
  n8nFailures,
  n8nKey,
  wahaSession,
  forecast,
];
