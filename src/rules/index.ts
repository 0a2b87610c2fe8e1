import { containerMemory } from './container-memory.ts';
import { disk, inodes } from './disk.ts';
import { memoryAvailable, memoryPressure } from './memory.ts';
import { n8nHealth, n8nQueue } from './n8n.ts';
import { oomKill } from './oom.ts';
import { postgresCache, postgresConnections } from './postgres.ts';
import { swapIn, swapUsed } from './swap.ts';
import type { Rule } from './types.ts';
import { wahaSession } from './waha.ts';

/** Every rule that a check judges. A new one is a file and a line here. */
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

/**
 * Rules of which a check sees every subject, so that a subject without a finding is gone. (Container changes and the
 * like come in between, one by one.)
 */
export const JUDGED_BY_CYCLE: readonly string[] = [
  ...RULES.map((rule) => rule.id),
  'source-failed',
  'left-off',
];
