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
import type { RULES as CATALOGUE, RuleId } from '../model/rules.ts';

/** The rules of the catalogue that every check judges, but for those that need more than one source (judge.ts, the daemon). */
type JudgedFromSource = Exclude<
  { [Id in RuleId]: (typeof CATALOGUE)[Id]['judged'] extends 'check' ? Id : never }[RuleId],
  'left-off' | 'source-failed' | `watcher-${string}`
>;

/** Every rule that judges what a check has read. An entry of model/rules.ts without a line here does not compile. */
export const RULES: Readonly<Record<JudgedFromSource, Rule>> = {
  'memory-pressure': memoryPressure,
  'memory-available': memoryAvailable,
  'swap-used': swapUsed,
  'swap-in': swapIn,
  disk,
  inodes,
  'disk-read-only': diskReadOnly,
  'postgres-cache': postgresCache,
  'postgres-connections': postgresConnections,
  'oom-kill': oomKill,
  'container-memory': containerMemory,
  'redis-writes': redisWrites,
  'redis-evictions': redisEvictions,
  'n8n-workers': n8nWorkers,
  'n8n-queue': n8nQueue,
  'n8n-health': n8nHealth,
  'n8n-lost': n8nLost,
  'n8n-failures': n8nFailures,
  'n8n-key': n8nKey,
  'waha-session': wahaSession,
  forecast,
};
