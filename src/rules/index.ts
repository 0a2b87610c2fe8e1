import { containerMemory } from './container-memory.ts';
import { disk, inodes } from './disk.ts';
import { memoryAvailable, memoryPressure } from './memory.ts';
import { n8nHealth, n8nQueue } from './n8n.ts';
import { oomKill } from './oom.ts';
import { postgresCache, postgresConnections } from './postgres.ts';
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
  postgresCache,
  postgresConnections,
  oomKill,
  containerMemory,
  n8nQueue,
  n8nHealth,
  wahaSession,
];
