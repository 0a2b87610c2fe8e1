import type { Finding } from '../model/finding.ts';
import type { RedisValues } from '../model/snapshot.ts';
import { formatBytes, formatCount, formatMany, plain } from '../model/text.ts';
import type { Judge } from './types.ts';

/** Of `maxmemory`, where Redis refuses writes when it is full: a last chance to act, and where the warning ends. */
const NEARLY_FULL_PCT = 90;
const CLEAR_PCT = 85;
/** A restart loads its data for some seconds, and a replica loses its master for as long when that one restarts. */
const HOLD_MS = 60_000;

/** Redis that refuses to write. Where n8n's queue is in it, webhooks answer 200 and every execution fails. */
export const redisWrites: Judge<'redis'> = (values) => {
  const { usedMemoryBytes: used, maxMemoryBytes: max, policy, refusedWrites = 0, queue } = values;
  const { loadingPercent, master } = values;
  const refuses = max !== null && policy === 'noeviction';
  const percent = refuses ? (used / max) * 100 : 0;
  const of = max === null ? '' : `: ${formatBytes(used)} of ${formatBytes(max)} (maxmemory) used`;
  const finding: Finding = {
    rule: 'redis-writes',
    subject: 'redis',
    severity: 'critical',
    verdict: 'ok',
    text: 'Redis takes writes',
  };
  if (loadingPercent !== undefined)
    return [
      {
        ...finding,
        severity: queue ? 'critical' : 'warning',
        verdict: 'breach',
        holdMs: HOLD_MS,
        text: `Redis answers nobody: it loads its data from disk, ${Math.floor(loadingPercent)} % so far`,
        details: [
          `It was started${master ? ', or copies its master anew' : ''}; the more data, the longer. A disk that is busy makes it slow`,
        ],
      },
    ];
  if (refusedWrites > 0 || percent >= 100)
    return [
      {
        ...finding,
        verdict: 'breach',
        text: `Redis refuses writes${of}${refusedWrites > 0 ? `, ${formatCount(refusedWrites)} refused since the last check` : ''}`,
        details: [
          ...(queue ? ['It holds the queue of n8n: webhooks answer 200, and every execution fails'] : []),
          max !== null && used >= max * (NEARLY_FULL_PCT / 100)
            ? 'Raise maxmemory (`redis-cli config set maxmemory`, and in its settings), or free memory'
            : 'Memory is not what is missing: `redis-cli info errorstats` shows what is. MISCONF: its disk cannot be written; READONLY: it is a replica; NOREPLICAS: its replicas are gone',
        ],
      },
    ];
  const unwritable = whyNot(values);
  if (unwritable) return [{ ...finding, verdict: 'breach', ...unwritable }];
  if (percent >= NEARLY_FULL_PCT)
    return [
      {
        ...finding,
        severity: 'warning',
        verdict: 'breach',
        value: Math.floor(percent),
        limit: NEARLY_FULL_PCT,
        unit: 'percent',
        text: `Redis is nearly full${of}; when it is, it refuses writes`,
        ...(queue ? { details: ['It holds the queue of n8n: then every execution fails'] } : {}),
      },
    ];
  if (percent < CLEAR_PCT) return [{ ...finding, severity: 'warning' }];
  return [{ ...finding, severity: 'warning', verdict: 'between', text: `Redis takes writes${of}` }];
};

/** Where memory is not what is missing. A replica is one by design, unless the queue of n8n is in it. */
function whyNot({
  unwritable,
  queue,
}: RedisValues): Pick<Finding, 'severity' | 'text' | 'details'> | undefined {
  const fails = queue ? ['It holds the queue of n8n: webhooks answer 200, and every execution fails'] : [];
  if (unwritable === 'aof')
    return {
      severity: 'critical',
      text: 'Redis refuses writes: it cannot write its append-only file',
      details: [
        ...fails,
        'Its disk is full, read-only or broken: `docker logs` of Redis and `df` show which',
      ],
    };
  if (unwritable === 'replica' && queue)
    return {
      severity: 'critical',
      text: 'Redis takes no writes: it is a replica of another server',
      details: [
        ...fails,
        'Point n8n at the master, or make this one the master (`redis-cli replicaof no one`)',
      ],
    };
  if (unwritable !== 'rdb') return undefined;
  return {
    severity: 'warning',
    text: 'Redis could not save its data to disk at the last try',
    details: [
      'Unless it was told otherwise (stop-writes-on-bgsave-error) it refuses all writes until a save works',
      'Its disk is full, read-only or broken, or memory for the save is missing: `docker logs` of Redis shows which',
    ],
  };
}

/** A replica without its master serves what was true when it lost it. */
export const redisReplica: Judge<'redis'> = ({ master, loadingPercent }) => {
  if (!master) return [];
  const address = plain(master.address, 80);
  const about = { rule: 'redis-replica', subject: 'redis', severity: 'warning', holdMs: HOLD_MS } as const;
  if (master.up)
    return [{ ...about, verdict: 'ok', text: `Redis is a replica of ${address}, and linked to it` }];
  // It calls its master after it has loaded its data; that it loads them is another finding.
  if (loadingPercent !== undefined)
    return [{ ...about, verdict: 'unknown', text: 'Redis is a replica, and loads its data' }];
  return [
    {
      ...about,
      verdict: 'breach',
      text: `Redis is a replica, and its link to the master ${address} is down`,
      details: [
        'It serves old data, or none (replica-serve-stale-data)',
        'Is the master running, and do address and password fit (`redis-cli info replication`, masterauth)?',
      ],
    },
  ];
};

/** A cache may forget, a queue must not: evicted keys are lost jobs. */
export const redisEvictions: Judge<'redis'> = (values) => {
  const { queue, evictedTotal, evictedLastHour, policy } = values;
  if (!queue) return [];
  const about = { rule: 'redis-evictions', subject: 'redis', unit: 'count' } as const;
  const count = evictedLastHour ?? evictedTotal;
  if (count === 0)
    return [{ ...about, severity: 'warning', verdict: 'ok', text: 'Redis has evicted nothing of the queue' }];
  const when = evictedLastHour === undefined ? 'since it was started' : 'within an hour';
  return [
    {
      ...about,
      severity: 'critical',
      verdict: 'breach',
      value: count,
      text: `Redis evicted ${formatMany(count, 'key')} ${when}, and it holds the queue of n8n: jobs are lost`,
      details: [
        `Its maxmemory-policy is ${policy ?? 'not known'}: a queue needs noeviction and enough maxmemory`,
      ],
    },
  ];
};
