import type { Finding } from '../model/finding.ts';
import { plain } from '../model/text.ts';
import { levelOf } from './level.ts';
import type { Judge } from './types.ts';

/** Points beyond the warning at which the incident ends. */
const CACHE_CLEAR_POINTS = 2;
const CONNECTIONS_CLEAR_POINTS = 3;

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
