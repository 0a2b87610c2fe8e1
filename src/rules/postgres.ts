import type { Finding } from '../model/finding.ts';
import { formatBytes, formatCount, formatDuration, plain } from '../model/text.ts';
import { levelOf } from './level.ts';
import type { Judge } from './types.ts';

/** Points beyond the warning at which the incident ends. */
const CACHE_CLEAR_POINTS = 2;
const CONNECTIONS_CLEAR_POINTS = 3;
/** A primary that is started again is away for less. */
const STANDBY_HOLD_MS = 60_000;
const BEHIND_SEC = 300;
/** Less than this waits for a moment only, however long ago the last transaction was: the primary was idle. */
const WAITING_BYTES = 1024 ** 2;
const GB = 1024 ** 3;
/** What a replication slot may keep of the WAL: a standby that follows keeps some tens of MB. */
const SLOT_WARNING = GB;
const SLOT_CRITICAL = 10 * GB;
const SLOT_CLEAR = 0.8 * GB;
const MILLION = 1_000_000;
/** Autovacuum begins at 200 million (autovacuum_freeze_max_age), and at 1,600 it drops all other care. */
const OLD_WARNING = 1000 * MILLION;
const OLD_CRITICAL = 1800 * MILLION;
const OLD_CLEAR = 900 * MILLION;
/** 2^31, less the last three million that PostgreSQL does not give away. */
const OLD_END = 2144;

export const postgresCache: Judge<'postgres'> = ({ cacheHitPercent }, { config }) => {
  const { settings } = config;
  const about = { rule: 'postgres-cache', subject: 'postgres', unit: 'percent' } as const;
  if (cacheHitPercent === undefined) {
    return [{ ...about, severity: 'warning', verdict: 'unknown', text: 'Too few blocks were read to judge' }];
  }
  const level = levelOf(cacheHitPercent, {
    bad: 'below',
    warning: settings.POSTGRES_CACHE_THRESHOLD,
    critical: settings.POSTGRES_CACHE_CRITICAL,
    clear: settings.POSTGRES_CACHE_THRESHOLD + CACHE_CLEAR_POINTS,
  });
  const ratio = `PostgreSQL cache hit ratio is ${cacheHitPercent.toFixed(1)} %`;
  const finding: Finding = {
    ...about,
    ...level,
    value: cacheHitPercent,
    text: level.verdict === 'breach' ? `${ratio}, below ${level.limit} %` : ratio,
  };
  if (level.verdict === 'breach') {
    finding.details = [
      'Much is read from disk: shared_buffers may be too small, or a query reads a whole table',
    ];
  }
  return [finding];
};

export const postgresConnections: Judge<'postgres'> = (
  { connections, longestTransactionSec },
  { config },
) => {
  const { settings } = config;
  const { max, reserved = 0, narrowest } = connections;
  const ofServer = (connections.total / Math.max(1, max - reserved)) * 100;
  const ofNarrowest = narrowest ? (narrowest.used / Math.max(1, narrowest.max)) * 100 : 0;
  const percent = Math.max(ofServer, ofNarrowest);
  const level = levelOf(percent, {
    bad: 'above',
    warning: settings.POSTGRES_CONNECTIONS_WARNING_PCT,
    critical: settings.POSTGRES_CONNECTIONS_CRITICAL_PCT,
    clear: settings.POSTGRES_CONNECTIONS_WARNING_PCT - CONNECTIONS_CLEAR_POINTS,
  });
  const kept = reserved > 0 ? ` (${reserved} of them are reserved for administrators)` : '';
  const used =
    narrowest && ofNarrowest > ofServer
      ? `PostgreSQL has ${narrowest.used} of ${narrowest.max} connections of the ${narrowest.of} ${plain(narrowest.name, 60)} in use (its CONNECTION LIMIT)`
      : `PostgreSQL has ${connections.total} of ${max} connections${kept} in use`;
  const finding: Finding = {
    rule: 'postgres-connections',
    subject: 'postgres',
    ...level,
    value: percent,
    unit: 'percent',
    text: level.verdict === 'breach' ? `${used}, more than ${level.limit} %` : used,
  };
  if (level.verdict === 'breach') {
    finding.details = [
      longestTransactionSec === undefined
        ? 'What they do is not known: the user has not the role pg_monitor'
        : `Active ${connections.active}, idle ${connections.idle}, idle in transaction ${connections.idleInTransaction}, other ${connections.other}`,
      ...(longestTransactionSec !== undefined && longestTransactionSec >= 60
        ? [`Longest transaction: ${Math.round(longestTransactionSec / 60)} min`]
        : []),
    ];
  }
  return [finding];
};

/** A standby that does not follow is no spare. One that was promoted, and a primary, are none: nothing is watched. */
export const postgresStandby: Judge<'postgres'> = ({ standby }) => {
  if (!standby) return [];
  const about = { rule: 'postgres-standby', subject: 'postgres', severity: 'warning' } as const;
  const { receiving, waitingBytes } = standby;
  const behindSec = waitingBytes < WAITING_BYTES ? 0 : standby.behindSec;
  if (receiving === false)
    return [
      {
        ...about,
        verdict: 'breach',
        holdMs: STANDBY_HOLD_MS,
        text: 'PostgreSQL is a standby and receives nothing from its primary',
        details: [
          'Its log (`docker logs`) shows why: the primary is gone or refuses it, or has removed the WAL that is needed; then it must be made anew (pg_basebackup)',
        ],
      },
    ];
  if (behindSec > BEHIND_SEC)
    return [
      {
        ...about,
        verdict: 'breach',
        holdMs: STANDBY_HOLD_MS,
        value: behindSec,
        limit: BEHIND_SEC,
        unit: 'seconds',
        text: `PostgreSQL is a standby and ${formatDuration(behindSec * 1000)} behind its primary: ${formatBytes(waitingBytes)} are received and not replayed`,
        details: [
          'A long query on it holds the replay up (max_standby_streaming_delay), the replay is paused (`SELECT pg_wal_replay_resume()`), or its disk is slow',
        ],
      },
    ];
  if (behindSec <= BEHIND_SEC / 2)
    return [{ ...about, verdict: 'ok', text: 'PostgreSQL is a standby and follows its primary' }];
  const behind = formatDuration(behindSec * 1000);
  return [{ ...about, verdict: 'between', text: `PostgreSQL is a standby and ${behind} behind its primary` }];
};

/** WAL that a slot keeps is never removed, until the disk is full and PostgreSQL stops. */
export const postgresSlot: Judge<'postgres'> = ({ slot }) => {
  if (!slot) return [];
  const { active, keptBytes, lost } = slot;
  const name = plain(slot.name, 60);
  const about = { rule: 'postgres-slot', subject: 'postgres' } as const;
  if (lost)
    return [
      {
        ...about,
        severity: 'warning',
        verdict: 'breach',
        text: `The replication slot ${name} of PostgreSQL has lost its WAL: who reads it cannot go on`,
        details: [
          `Make its standby anew (pg_basebackup), and drop it: SELECT pg_drop_replication_slot('${name}')`,
        ],
      },
    ];
  const level = levelOf(keptBytes, {
    bad: 'above',
    warning: SLOT_WARNING,
    critical: SLOT_CRITICAL,
    clear: SLOT_CLEAR,
  });
  const reader = active ? 'its reader does not keep up' : 'nobody reads it';
  const finding: Finding = {
    ...about,
    ...level,
    value: keptBytes,
    unit: 'bytes',
    text: `The replication slot ${name} of PostgreSQL keeps ${formatBytes(keptBytes)} of WAL${level.verdict === 'breach' ? `: ${reader}` : ''}`,
  };
  if (level.verdict === 'breach')
    finding.details = [
      'It keeps more until the disk is full, and then PostgreSQL stops (max_slot_wal_keep_size sets a bound)',
      active
        ? 'Look at the standby or subscriber that reads it: its network, its disk, long queries'
        : `Start who reads it again, or drop it: SELECT pg_drop_replication_slot('${name}')`,
    ];
  return [finding];
};

/** Transactions have numbers of 32 bits: a database that is not frozen in time takes no writes until somebody has done it by hand. */
export const postgresWraparound: Judge<'postgres'> = ({ oldest }) => {
  if (!oldest) return [];
  const { database, transactions } = oldest;
  const level = levelOf(transactions, {
    bad: 'above',
    warning: OLD_WARNING,
    critical: OLD_CRITICAL,
    clear: OLD_CLEAR,
  });
  const finding: Finding = {
    rule: 'postgres-wraparound',
    subject: 'postgres',
    ...level,
    value: transactions,
    unit: 'count',
    text: `The database ${plain(database, 60)} of PostgreSQL was not frozen for ${formatCount(Math.floor(transactions / MILLION))} million transactions${level.verdict === 'breach' ? `: at ${formatCount(OLD_END)} million it takes no writes any more` : ''}`,
  };
  if (level.verdict === 'breach')
    finding.details = [
      'Autovacuum does not get through: it is off, or something holds it up (a transaction open for days, one of pg_prepared_xacts, a replication slot)',
      'End that, then VACUUM FREEZE that database as a superuser',
    ];
  return [finding];
};
