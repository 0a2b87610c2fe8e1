import type { Discovered } from '../model/targets.ts';
import type { Readings } from '../model/snapshot.ts';
import { formatDuration } from '../model/text.ts';
import { failed, ok, warning, type Line } from './types.ts';

type Database = 'postgres' | 'redis' | 'n8n' | 'waha';

/** Databases and applications: what was found, how, and whether it answers as the monitor asks it. */
export function judgeSources(found: Discovered, readings: Readings, autoRecovery: boolean): Line[] {
  const lines = (['postgres', 'redis', 'n8n', 'waha'] as const).map((name) =>
    judgeSource(name, found, readings),
  );
  if (found.n8n && autoRecovery && found.n8n.apiKey === '')
    lines.push(
      warning(
        'n8n',
        'has no API key: recovery cannot pause workflows when the queue overflows',
        'make one in n8n (Settings, n8n API) and set N8N_API_KEY',
      ),
    );
  if (readings.sql.state === 'ok')
    for (const broken of readings.sql.value.broken)
      lines.push(
        warning(
          'sql',
          `${broken.name}: ${broken.why}`,
          'mend the query in vpsmon.yaml; it is tried with psql best',
        ),
      );
  return lines;
}

function judgeSource(name: Database, found: Discovered, readings: Readings): Line {
  const reading = readings[name];
  const target = found[name];
  const where = target ? `${describeTarget(target)} (${target.how})` : '';
  if (reading.state === 'ok')
    return ok(name, `${where || 'found'}, answered in ${formatDuration(reading.tookMs)}`);
  // What is not here is no fault: a server without n8n has none.
  if (reading.state === 'absent') return ok(name, `not here: ${found.missing[name] ?? reading.why}`);
  return failed(name, `${where ? `${where}: ` : ''}${reading.why}`, adviceFor(name, reading.why));
}

function describeTarget(target: { host: string; port: number } | { url: string }): string {
  if ('host' in target) return target.host.startsWith('/') ? target.host : `${target.host}:${target.port}`;
  try {
    return new URL(target.url).host;
  } catch {
    return 'a URL that cannot be understood';
  }
}

const KEYS: Record<Database, { address: string; secret: string }> = {
  postgres: {
    address: 'POSTGRES_HOST and POSTGRES_PORT (or POSTGRES_URL)',
    secret: 'POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB',
  },
  redis: { address: 'REDIS_HOST and REDIS_PORT (or REDIS_URL)', secret: 'REDIS_PASSWORD' },
  n8n: { address: 'N8N_URL', secret: 'N8N_API_KEY' },
  waha: { address: 'WAHA_URL', secret: 'WAHA_API_KEY' },
};

function adviceFor(name: Database, why: string): string {
  if (
    /password|auth|unauthorized|401|403|NOAUTH|WRONGPASS|API key|role .* does not exist|no pg_hba/i.test(why)
  )
    return `it refuses who asks: set ${KEYS[name].secret} in monitor.conf`;
  if (/too many (clients|connections)/i.test(why))
    return 'it has no free connection left: look who holds them (pg_stat_activity), or raise max_connections';
  return `is it running (docker ps -a)? Where it is elsewhere, set ${KEYS[name].address} in monitor.conf`;
}
