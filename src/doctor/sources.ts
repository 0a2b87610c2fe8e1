import type { Discovered } from '../model/targets.ts';
import type { Readings } from '../model/sources.ts';
import { formatDuration, formatTime, plain } from '../model/text.ts';
import { failed, ok, warning, type Line } from './types.ts';

type Database = 'postgres' | 'redis' | 'n8n' | 'waha';

/** Databases and applications: what was found, how, and whether it answers as the monitor asks it. */
export function judgeSources(
  found: Discovered,
  readings: Readings,
  autoRecovery: boolean,
  now = Date.now(),
): Line[] {
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
  lines.push(...judgeN8nParts(readings, now));
  if (readings.sql.state === 'ok')
    for (const broken of readings.sql.value.broken)
      lines.push(
        warning(
          'sql',
          `${broken.name}: ${broken.why}`,
          // Where the server itself cannot be read, its own line says what helps.
          readings.postgres.state === 'failed'
            ? 'that is for want of PostgreSQL, see above'
            : 'mend the query in vpsmon.yaml; it is tried with psql best',
        ),
      );
  return lines;
}

function judgeSource(name: Database, found: Discovered, readings: Readings): Line {
  const reading = readings[name];
  const target = found[name];
  const where = target ? `${describeTarget(target)} (${target.how})` : '';
  if (
    reading.state === 'ok' &&
    name === 'n8n' &&
    readings.n8n.state === 'ok' &&
    readings.n8n.value.healthy === false
  )
    return failed(
      name,
      `${where || 'found'}: not healthy${whyUnhealthy(readings.n8n.value.problems)}`,
      'look at `docker ps -a` and `docker logs` of n8n; its webhooks and its editor do not answer',
    );
  if (reading.state === 'ok')
    return ok(name, `${where || 'found'}, answered in ${formatDuration(reading.tookMs)}`);
  // What is not here is no fault: a server without n8n has none.
  if (reading.state === 'absent') return ok(name, `not here: ${found.missing[name] ?? reading.why}`);
  // Who can be watched and is not is a gap, no fault of the server.
  if (found.unreadable?.includes(name))
    return warning(
      name,
      `it is here, and not watched: ${found.missing[name] ?? reading.why}`,
      'set that in monitor.conf',
    );
  return failed(name, `${where ? `${where}: ` : ''}${reading.why}`, adviceFor(name, reading.why));
}

function whyUnhealthy(problems: readonly string[] = []): string {
  const why = problems.find((problem) => problem.startsWith('health: '));
  return why === undefined ? '' : `: ${why.slice('health: '.length)}`;
}

const WEEK_MS = 7 * 86_400_000;
/** What each part of n8n is needed for, and what helps. */
const PARTS: Record<string, { costs: string; advice: string }> = {
  key: {
    costs: 'recovery cannot pause workflows, nor bring back what it has paused',
    advice: 'make a new key in n8n (Settings, n8n API) and set N8N_API_KEY',
  },
  queue: {
    costs: 'a queue that overflows, or without a worker, is not noticed',
    advice: 'set REDIS_PASSWORD (and REDIS_HOST where there is more than one Redis) in monitor.conf',
  },
  executions: {
    costs: 'how many run, wait and fail is not known',
    advice: 'set POSTGRES_USER and POSTGRES_PASSWORD, or N8N_API_KEY, in monitor.conf',
  },
  workflows: {
    costs: 'how many there are is not known',
    advice: 'set POSTGRES_USER and POSTGRES_PASSWORD, or N8N_API_KEY, in monitor.conf',
  },
};

/** What of n8n could not be read, each with what it costs and what helps; a key that ends soon; a queue that Redis may evict. */
function judgeN8nParts({ n8n, redis }: Readings, now: number): Line[] {
  const lines: Line[] = [];
  if (n8n.state === 'ok') {
    for (const problem of n8n.value.problems ?? []) {
      const [, part = '', why = ''] = /^(\w+): (.*)$/s.exec(problem) ?? [];
      const known = PARTS[part];
      if (known) lines.push(failed(`n8n ${part}`, `${plain(why, 300)}; ${known.costs}`, known.advice));
    }
    const { keyExpiresAt } = n8n.value;
    if (keyExpiresAt !== undefined && keyExpiresAt - now < WEEK_MS)
      lines.push(warning('n8n key', `the API key ends at ${formatTime(keyExpiresAt)}`, PARTS['key']!.advice));
  }
  if (redis.state === 'ok' && redis.value.queue && redis.value.maxMemoryBytes !== null) {
    const { policy } = redis.value;
    if (policy !== undefined && policy !== 'noeviction')
      lines.push(
        warning(
          'redis',
          `it holds the queue of n8n, and its maxmemory-policy is ${plain(policy, 40)}: when it is full, jobs are lost`,
          'redis-cli config set maxmemory-policy noeviction, and the same in its settings',
        ),
      );
  }
  return lines;
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

/** What a failure means, by the server's own words, and what helps then. The first that fits counts. */
const ADVICE: [RegExp, (keys: { address: string; secret: string }, name: Database) => string][] = [
  [
    /too many (clients|connections)|all are taken|max number of clients/i,
    (_, name) =>
      name === 'redis'
        ? 'it has no free connection left: look who holds them (redis-cli client list), or raise maxclients'
        : 'it has no free connection left: look who holds them (pg_stat_activity), or raise max_connections',
  ],
  [
    /database .* does not exist|no such database|not currently accepting connections|permission denied for database|: not allowed$/i,
    () =>
      'the server answers, that database does not: set POSTGRES_DB (or POSTGRES_URL) to one that this user may use',
  ],
  [
    /NOPERM|unknown command/i,
    () =>
      'the server answers, and does not let this user ask: vpsmon needs INFO, for the queue of n8n also CLIENT LIST and to read its keys (ACL SETUSER ... ~* +@read +info +client)',
  ],
  [
    /starting up|shutting down|in recovery mode|LOADING/,
    () => 'it is not ready yet, or going: look again in a minute, then at its log (docker logs)',
  ],
  [
    /protected mode/i,
    () =>
      'it answers its own machine only: give it a password (requirepass) and set REDIS_PASSWORD, or reach it by loopback',
  ],
  [
    /password|auth|unauthorized|401|403|NOAUTH|WRONGPASS|API key|role .* does not exist|no pg_hba/i,
    ({ secret }) => `it refuses who asks: set ${secret} in monitor.conf`,
  ],
  [
    /^no answer within|: no answer within|did not answer in time/i,
    ({ address }, name) =>
      name === 'postgres'
        ? 'it hangs or is overloaded (docker stats, docker logs); where this is PgBouncer: it is paused, its pool is exhausted, or its server is gone (SHOW POOLS)'
        : `it hangs, is overloaded or is elsewhere: look at docker ps -a and docker logs, or set ${address} in monitor.conf`,
  ],
];

function adviceFor(name: Database, why: string): string {
  const keys = KEYS[name];
  const known = ADVICE.find(([pattern]) => pattern.test(why));
  return (
    known?.[1](keys, name) ??
    `is it running (docker ps -a)? Where it is elsewhere, set ${keys.address} in monitor.conf`
  );
}
