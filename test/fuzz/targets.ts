// Everything that takes apart what comes from outside, each with samples of what it expects. The harness feeds mutations of the samples,
// random text, bytes and JSON. `run` returns whatever may be shown to a person: no secret may be in it.
import { Buffer } from 'node:buffer';
import * as v from 'valibot';
import { placeInTime } from '../../src/collectors/waha.ts';
import { toDisk } from '../../src/collectors/disks.ts';
import { createKillParser } from '../../src/collectors/kmsg.ts';
import { parseMounts } from '../../src/collectors/mounts.ts';
import { keyExpiry, failuresOf } from '../../src/collectors/n8n-api.ts';
import { hasTag, toWorkflow } from '../../src/system/apps/n8n.ts';
import { parseBlocks, parsePostgres } from '../../src/collectors/postgres.ts';
import { parsePressure } from '../../src/collectors/pressure.ts';
import {
  parseArc,
  parseLoad,
  parseMeminfo,
  parseNumbers,
  parseStat,
  parseUptime,
} from '../../src/collectors/proc.ts';
import { parseInfo } from '../../src/collectors/redis.ts';
import { parseListen } from '../../src/config/parse-value.ts';
import { readLayer } from '../../src/config/layers.ts';
import { parseConf } from '../../src/config/parse-conf.ts';
import { parseYaml } from '../../src/config/parse-yaml.ts';
import { toExtra } from '../../src/config/extra.ts';
import type { Config, Problem } from '../../src/config/schema.ts';
import { isAllowedHost } from '../../src/daemon/http.ts';
import { judgeLastExit } from '../../src/daemon/last-exit.ts';
import { withSettings } from '../../src/config/write-conf.ts';
import { discoverFrom } from '../../src/discovery/from.ts';
import { engineNames, namesByEngine } from '../../src/discovery/trust.ts';
import { readManifest } from '../../src/install/manifest.ts';
import type { Machine } from '../../src/system/machine.ts';
import { readQuestion } from '../../src/notify/buttons.ts';
import { chatsIn, readUpdate, updateIdOf } from '../../src/notify/updates.ts';
import { essenceOf } from '../../src/recorder/essence.ts';
import { createRing, decodeRecording } from '../../src/recorder/ring.ts';
import { defaultConfig } from '../helpers/collector-deps.ts';
import { toPort } from '../../src/discovery/container.ts';
import { fromPostgresUrl, fromRedisUrl } from '../../src/discovery/explicit.ts';
import { parseSamples, replay } from '../../src/forecast/replay.ts';
import { parseDuration } from '../../src/model/duration.ts';
import { secretsFromEnv } from '../../src/model/secret-patterns.ts';
import { visible } from '../../src/model/invisible.ts';
import { errorText, escapeHtml, maskSecrets, plain, safeHtml } from '../../src/model/text.ts';
import { starterIn } from '../../src/notify/await-start.ts';
import { digestHtml, headline } from '../../src/outputs/telegram/digest.ts';
import { htmlToPlain, shortenHtml, splitHtml } from '../../src/model/html.ts';
import { readAnswer } from '../../src/notify/telegram.ts';
import { readBucket, readRaw } from '../../src/store/history/codec.ts';
import { readState } from '../../src/store/incident-messages.ts';
import { readJson } from '../../src/store/rows.ts';
import { AnswerError, parseBoundedJson } from '../../src/system/answer.ts';
import { parseProcCgroup } from '../../src/system/cgroup-layout.ts';
import { parseDockerHost } from '../../src/system/docker/address.ts';
import { createLineSplitter, parseEvent } from '../../src/system/docker/events.ts';
import { parseLogs, unframe } from '../../src/system/docker/logs.ts';
import { parseInspect, parseList, parseStats } from '../../src/system/docker/parse.ts';
import { fromListItem, toContainerInfo } from '../../src/system/docker/containers.ts';
import { parseKernelRecord } from '../../src/system/kernel-log.ts';
import { createFrames } from '../../src/system/postgres/frames.ts';
import { createRedisFrames } from '../../src/system/redis/frames.ts';
import { parseAuxv } from '../../src/system/page-size.ts';
import { parseStatus } from '../../src/system/processes.ts';
import { parseUnits } from '../../src/system/unit-states.ts';

/** Stands in every third sample; nothing that is shown may hold it. */
export const SECRET = 'S3cr3t-hunter2-zq81';

export type Target = {
  name: string;
  /** What it expects, as text or bytes. */
  samples: (string | Buffer)[];
  run(input: Buffer): unknown;
  /** Errors that are documented to be thrown, besides a plain Error with a sentence. */
  throws?: (new (...args: never[]) => Error)[];
};

const text = (name: string, samples: string[], run: (input: string) => unknown): Target => ({
  name,
  samples,
  run: (input) => run(input.toString('utf8')),
});
const json = (name: string, samples: unknown[], run: (value: unknown) => unknown): Target => ({
  name,
  samples: samples.map((sample) => JSON.stringify(sample)),
  throws: [AnswerError],
  run: (input) => run(parseBoundedJson(input)),
});

const INSPECT = {
  Id: 'a'.repeat(64),
  Name: '/web',
  RestartCount: 3,
  Created: '2025-07-16T10:30:00.123456789Z',
  State: {
    Status: 'running',
    ExitCode: 0,
    OOMKilled: false,
    Error: '',
    Pid: 7,
    StartedAt: '2025-07-16T10:30:00Z',
    FinishedAt: '0001-01-01T00:00:00Z',
    Health: {
      Status: 'healthy',
      FailingStreak: 0,
      Log: [{ Start: 'x', End: 'y', ExitCode: 0, Output: 'ok' }],
    },
  },
  HostConfig: {
    Memory: 0,
    MemorySwap: 0,
    RestartPolicy: { Name: 'always', MaximumRetryCount: 0 },
    AutoRemove: false,
  },
  Config: {
    Image: 'nginx',
    Labels: { a: 'b' },
    Env: [`POSTGRES_PASSWORD=${SECRET}`],
    Cmd: ['x'],
    StopSignal: 'SIGTERM',
  },
  NetworkSettings: {
    Ports: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '80' }] },
    Networks: { n: { IPAddress: '10.0.0.2', Aliases: ['web'] } },
  },
};
const frame = (body: string) => {
  const head = Buffer.alloc(8);
  head[0] = 1;
  head.writeUInt32BE(body.length, 4);
  return Buffer.concat([head, Buffer.from(body)]);
};
const message = (type: string, body: Buffer) => {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};
/** Where the secret stands as one, in JSON. */
const PLACED = new RegExp(`"[A-Z0-9_]*PASSWORD=${SECRET}"|"\\\\\\"${SECRET}\\\\\\""`, 'g');
const N8N = {
  ...INSPECT,
  Id: 'b'.repeat(64),
  Name: '/n8n',
  Config: {
    ...INSPECT.Config,
    Image: 'n8nio/n8n',
    Env: [
      'DB_TYPE=postgresdb',
      'DB_POSTGRESDB_HOST=web',
      `DB_POSTGRESDB_PASSWORD=${SECRET}`,
      'EXECUTIONS_MODE=queue',
      'QUEUE_BULL_REDIS_CLUSTER_NODES=web:1,[::1]:2',
      `QUEUE_BULL_REDIS_PASSWORD=${SECRET}`,
    ],
    Cmd: ['redis-server', '--requirepass', `"${SECRET}"`],
  },
};
const TELEGRAM_UPDATES = [
  {
    update_id: 8,
    message: {
      message_id: 4,
      date: 1,
      text: '/silence web 2h',
      chat: { id: -5, type: 'supergroup', username: 'ops' },
      from: { id: 7, is_bot: false, first_name: 'a', last_name: 'b' },
      sender_chat: { id: -6, type: 'channel', title: 'c' },
      migrate_to_chat_id: -1007,
    },
  },
  {
    update_id: 1,
    message: {
      message_id: 4,
      date: 1_767_225_600,
      text: '/start CODE',
      chat: { id: -5, type: 'supergroup', title: 't' },
      from: { id: 7, first_name: 'a', is_bot: false },
      message_thread_id: 3,
      is_topic_message: true,
    },
  },
  {
    update_id: 2,
    callback_query: {
      id: 'q',
      data: 'abcd.5.ack.nonce.mac',
      from: { id: 7, first_name: 'a' },
      message: { message_id: 9, chat: { id: -5, type: 'channel' } },
    },
  },
];

/** Only what the discovery looks at is set, from whatever the input has. */
function discoveryConfig(given: unknown): Config {
  const config = defaultConfig();
  for (const key of ['POSTGRES_HOST', 'REDIS_HOST', 'POSTGRES_PASSWORD', 'REDIS_PASSWORD'] as const) {
    const value =
      typeof given === 'object' && given !== null ? (given as Record<string, unknown>)[key] : undefined;
    if (typeof value === 'string') config.settings[key] = value;
  }
  return config;
}

/** As src/recorder/ring.ts seals a recording. */
function checksumOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

function recordings(): Buffer[] {
  const ring = createRing();
  for (let at = 0; at < 5; at++)
    ring.add({
      at: 1e12 + at * 1000,
      availableBytes: 5e8,
      containers: [{ name: 'web', heldBytes: 1e6 * at, swapBytes: 0 }],
    });
  return [
    Buffer.from(ring.encode({ bootId: 'b', memoryTotalBytes: 1e9, swapTotalBytes: 0 })),
    Buffer.from('vpsmREC1'),
  ];
}

const seconds = Array.from({ length: 40 }, (_, i) => `${1_767_225_600 + i * 1800},${1e9 + i * 2e7}`);

/** In pieces of a few bytes, as a network may cut them. */
function inPieces(input: Buffer, feed: (piece: Buffer) => void): void {
  const size = 1 + (input.length % 7) * 13;
  for (let at = 0; at < input.length; at += size) feed(input.subarray(at, at + size));
}

export const TARGETS: Target[] = [
  text(
    'monitor.conf',
    [
      `TELEGRAM_BOT_TOKEN="${SECRET}"\nPOSTGRES_PASSWORD=${SECRET}\nSERVICE_CHECK_INTERVAL=30 # c\nexport LOG_LEVEL='INFO'\n`,
      `WAHA_API_KEY='${SECRET}\nPOSTGRES_URL=postgres://u:${SECRET}@h:99999999/db\nMONITORED_SERVICES=a,b\nHTTP_LISTEN=[::1]:80\n`,
    ],
    (conf) => {
      const { entries, problems } = parseConf(conf);
      const more: Problem[] = [];
      readLayer(
        entries.map(({ key, value, line }) => ({ key, text: value, file: 'monitor.conf', line })),
        'file',
        more,
      );
      // A key is shown as it stands there; what may be a value is not.
      return [problems, more].flat().map((problem) => problem.text);
    },
  ),
  text(
    'vpsmon.yaml',
    [
      'services:\n  web:\n    essential: true\n    memory_mb: 200\nsql_metrics:\n  - name: lead_count\n    query: select 1\n',
      'silences:\n  - subject: web\n    days: [mon, sun]\n    from: "22:00"\n    to: "06:00"\nn8n:\n  low_priority: [a, b]\na: &x [*x]\n',
    ],
    (yaml) => toExtra(parseYaml(yaml, 'vpsmon.yaml'), 'vpsmon.yaml').problems,
  ),
  text('listen', ['127.0.0.1:8080', '[::1]:80', ':9', '*:1'], parseListen),
  text('duration', ['30m', '1h 30min', '2 days', '1.5h'], parseDuration),
  text('host header', ['localhost:8080', '[::1]:80', '127.0.0.1', 'a.b.c.'], (host) =>
    isAllowedHost(host, { host: '0.0.0.0', hosts: ['a.b'], machine: 'vps.example.org' }),
  ),
  text('last-exit', ['watchdog dumped ABRT', 'success exited 0'], judgeLastExit),
  text(
    'database address',
    [`postgres://u:${SECRET}@h/db?sslmode=require`, `rediss://:${SECRET}@[::1]:6380/2`],
    (url) => {
      // What it gives is the password itself, for the connection; only what it says when it refuses is shown.
      for (const read of [fromPostgresUrl, fromRedisUrl]) read(url);
      return toPort(url);
    },
  ),
  text('Docker address', ['unix:///var/run/docker.sock', 'tcp://127.0.0.1:2375', 'http://[::1]:1/'], (host) =>
    parseDockerHost(host, []),
  ),
  text(
    'meminfo',
    [
      'MemTotal:        2014964 kB\nMemFree: 1 kB\nMemAvailable:     812345 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n',
    ],
    (info) => [parseMeminfo(info), parseMeminfo(info, 5)],
  ),
  text(
    'arcstats',
    ['13 1 0x01 123 33456 1 2\nname type data\nc_min 4 67108864\nsize 4 123456789\n'],
    parseArc,
  ),
  text('loadavg', ['0.52 0.58 0.59 1/123 4567\n'], parseLoad),
  text('/proc/stat', ['cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4\nbtime 1767225600\n'], parseStat),
  text('uptime', ['12345.67 24000.00\n'], parseUptime),
  text('vmstat', ['pswpin 1\npswpout 2\noom_kill 3\n'], (stat) => parseNumbers(stat, ['pswpin', 'oom_kill'])),
  text(
    'pressure',
    ['some avg10=1.50 avg60=0.30 avg300=0.00 total=12345\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n'],
    parsePressure,
  ),
  text('/proc/pid/status', ['Name:\tnode\nVmRSS:\t  1234 kB\nRssAnon: 12 kB\n'], parseStatus),
  text(
    '/proc/pid/cgroup',
    ['0::/system.slice/docker-abc.scope\n', '5:memory:/docker/abc\n4:cpu,cpuacct:/x\n'],
    parseProcCgroup,
  ),
  text(
    'mountinfo',
    [
      '25 30 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n26 25 0:5 /x\\040y /mnt/a\\134b ro master:2 - nfs4 h:/x ro\n',
    ],
    (info) =>
      parseMounts(info).map((mount) =>
        toDisk(mount, {
          bsize: 4096,
          frsize: 4096,
          blocks: 10,
          bfree: 5,
          bavail: 5,
          files: 3,
          ffree: 1,
        } as never),
      ),
  ),
  {
    name: 'auxv',
    samples: [Buffer.alloc(64, 6)],
    run: (input) => [parseAuxv(input, 'LE'), parseAuxv(input, 'BE')],
  },
  text(
    'kernel log',
    [
      '3,453,139493029,-;tail invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n3,454,139493030,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=0,oom_memcg=/docker/aa,task_memcg=/docker/aa,task=tail,pid=3087,uid=0\n3,455,139493031,-;Memory cgroup out of memory: Killed process 3087 (tail) total-vm:11984kB, anon-rss:9856kB, file-rss:1264kB, shmem-rss:0kB, UID:0 pgtables:64kB oom_score_adj:0\n',
      '3,1,1,-;Out of memory: Kill process 5 (a \\x5c b) score 5 or sacrifice child\n3,2,2,-;Killed process 5 (a) total-vm:1kB, anon-rss:1kB, file-rss:1kB\n',
    ],
    (log) => {
      const parse = createKillParser();
      return log.split('\n').map((line) => {
        const record = parseKernelRecord(line);
        return record && parse(record);
      });
    },
  ),
  json('Docker inspect', [INSPECT], (answer) =>
    toContainerInfo(parseInspect(answer), { restartsLast5Min: 0, self: false }),
  ),
  json(
    'Docker list',
    [
      [
        {
          Id: 'b'.repeat(64),
          Names: ['/web'],
          Image: 'nginx',
          Labels: {},
          State: 'running',
          Status: 'Up 6 seconds (unhealthy)',
        },
      ],
    ],
    (answer) => parseList(answer).map((item) => fromListItem(item, false)),
  ),
  json(
    'Docker stats',
    [
      {
        read: '2025-07-16T10:30:00Z',
        memory_stats: { usage: 5, limit: 9, stats: { inactive_file: 1, anon: 2, total_rss: 2 } },
        cpu_stats: { cpu_usage: { total_usage: 5 }, online_cpus: 2 },
      },
    ],
    parseStats,
  ),
  {
    name: 'Docker events',
    samples: [
      `{"Type":"container","Action":"die","Actor":{"ID":"abc","Attributes":{"name":"web","image":"nginx","exitCode":"137"}},"timeNano":1767225600123456789}\n{"Type":"container","Action":"health_status: unhealthy","Actor":{"ID":"abc","Attributes":{"name":"web"}},"time":1767225600}\n`,
    ],
    run(input) {
      const seen: unknown[] = [];
      const split = createLineSplitter((line) => seen.push(String(parseEvent(line)?.timeNano)));
      inPieces(input, split);
      return seen;
    },
  },
  {
    name: 'Docker logs',
    samples: [
      Buffer.concat([frame('one line\n'), frame(`password=${SECRET}\r50%\r99%\n`)]),
      'plain tty text\n',
    ],
    run: (input) => [unframe(input).length, parseLogs(input, 5).map((line) => maskSecrets(line, [SECRET]))],
  },
  {
    name: 'PostgreSQL frames',
    samples: [
      Buffer.concat([
        message('R', Buffer.alloc(4)),
        message('S', Buffer.from('a\0b\0')),
        message('Z', Buffer.from('I')),
      ]),
      message('E', Buffer.from(`SFATAL\0C28P01\0Mno ${SECRET}\0\0`)),
    ],
    throws: [AnswerError],
    run(input) {
      const frames = createFrames();
      let taken = 0;
      inPieces(input, (piece) => (taken += frames.take(piece).length));
      return taken;
    },
  },
  {
    name: 'Redis frames',
    samples: [
      '+OK\r\n',
      '$5\r\nhello\r\n*2\r\n:1\r\n$-1\r\n',
      '-ERR x\r\n',
      '$4000000000\r\n',
      '*-5\r\n$-7\r\n',
    ],
    throws: [AnswerError],
    run(input) {
      const frames = createRedisFrames();
      for (let i = 0; i < 3; i++) frames.ask();
      let taken = 0;
      inPieces(input, (piece) => (taken += frames.take(piece).length));
      return taken;
    },
  },
  text(
    'Redis INFO',
    [
      '# Server\r\nredis_version:7.2.4\r\nuptime_in_seconds:5\r\nused_memory:1048576\r\nmaxmemory:0\r\nconnected_clients:3\r\ndb0:keys=12,expires=0\r\nerrorstat_OOM:count=5\r\n',
    ],
    parseInfo,
  ),
  json(
    'PostgreSQL row',
    [
      {
        version: '16.1',
        max_connections: '100',
        reserved: 3,
        size: '12345',
        started: 1.5,
        blocks: '[["5",null,10,2]]',
        total: '5',
        active: '1',
        idle: '4',
        in_transaction: '0',
        hidden: '0',
      },
    ],
    (row) =>
      typeof row === 'object' && row !== null
        ? [parsePostgres(row as never), parseBlocks(row as never, 'h')]
        : [],
  ),
  json(
    'WAHA sessions',
    [[{ name: 'default', status: 'WORKING', timestamps: { activity: 1_700_000_000_000 } }]],
    (list) => {
      const shape = v.array(v.object({ name: v.string(), status: v.string() }));
      return v.is(shape, list) ? placeInTime(list as never, {}, 5) : [];
    },
  ),
  json(
    'n8n workflow',
    [
      {
        id: 7,
        name: 'Import',
        active: true,
        activeVersionId: null,
        tags: [{ name: 'Low-Priority' }],
        nodes: [{ type: 'n8n-nodes-base.webhook', webhookId: 'x', position: [0, 0] }],
        connections: {},
      },
    ],
    (item) => {
      const workflow = toWorkflow(item);
      if (workflow && (workflow.id === '' || workflow.contents.length !== 2))
        throw new TypeError('no workflow');
      return [workflow?.active, workflow?.webhooks, hasTag(item, 'low-priority, x')];
    },
  ),
  json('executions of n8n', [[{ workflow: 'a', failed: true, at: 5 }]], (list) => {
    const shape = v.array(v.object({ workflow: v.string(), failed: v.boolean(), at: v.number() }));
    return v.is(shape, list) ? failuresOf(list, 60, 1000).streaks.length : 0;
  }),
  text('n8n API key', ['{"exp":1700000000}', '{"exp":"x"}', '[]'], (claims) =>
    keyExpiry(`e30.${Buffer.from(claims).toString('base64url')}.x`),
  ),
  text(
    'Telegram answer',
    [
      `{"ok":true,"result":[{"update_id":5}]}`,
      `{"ok":false,"error_code":429,"description":"Too Many Requests ${SECRET}","parameters":{"retry_after":5,"migrate_to_chat_id":-100}}`,
      '<html>',
    ],
    (body) =>
      readAnswer(200 + (body.length % 300), { 'retry-after': body.slice(0, 5) }, body, (shown) =>
        maskSecrets(plain(shown), [SECRET]),
      ),
  ),
  json('Telegram update', TELEGRAM_UPDATES, (update) => {
    const id = updateIdOf(update);
    const read = readUpdate(update);
    if (read && (read.updateId !== id || !Number.isSafeInteger(id))) throw new TypeError('another number');
    if (read?.kind === 'message' && read.text.length > 300) throw new TypeError('a text that is too long');
    return [starterIn(update, 'CODE'), read, chatsIn([update, update]).length, chatsIn(update).length];
  }),
  text('question at a button', ['{"action":"stop","nonce":"abc","userId":"7","until":1000}'], (pending) =>
    readQuestion(pending, 900),
  ),
  {
    name: 'recording',
    samples: recordings(),
    run(input) {
      // With the right checksum, so that what is behind it is read.
      const sealed = Buffer.from(input);
      if (sealed.length >= 16) sealed.writeUInt32BE(checksumOf(sealed.subarray(12)), 8);
      const read = [decodeRecording(input), decodeRecording(sealed)];
      if (read.some((one) => (one?.samples.length ?? 0) > input.length))
        throw new TypeError('more samples than bytes');
      return read.map((one) => one && essenceOf(one, 'web'));
    },
  },
  text(
    'settings that setup writes',
    [
      "# mine\nTELEGRAM_CHAT_ID=5\nA='b'\n",
      'TELEGRAM_CHAT_ID="5" \\\nx\r\n',
      "export TELEGRAM_CHAT_ID='-100' # c",
    ],
    (conf) => {
      const values = { TELEGRAM_CHAT_ID: '-1001234', TELEGRAM_BOT_TOKEN: '123456:abc' };
      const written = parseConf(withSettings(conf, values)).entries;
      for (const [key, value] of Object.entries(values))
        if (written.findLast((entry) => entry.key === key)?.value !== value)
          throw new TypeError(`${key} is not what was set`);
      // What stood there before still does.
      const ended = /[\r\n]$/.test(conf) ? conf : `${conf}\n`;
      const before = new Map(parseConf(ended).entries.map(({ key, value }) => [key, value]));
      const after = new Map(written.map(({ key, value }) => [key, value]));
      for (const [key, value] of before)
        if (!(key in values) && after.get(key) !== value)
          throw new TypeError(`${key.slice(0, 20)} was changed`);
      return written.length;
    },
  ),
  text(
    'manifest of an installation',
    [
      '{"version":1,"complete":true,"id":"abc","files":["/usr/bin/vpsmon"],"folders":["/opt/x"]}',
      'null',
      '[]',
    ],
    (manifest) => readManifest({ text: () => manifest } as unknown as Machine),
  ),
  json('containers to discover', [{ of: [INSPECT, N8N], settings: {} }], (scene) => {
    // A mutation may have made the secret the name of a host, or of the container: then it is none.
    const elsewhere = JSON.stringify(scene ?? null).replaceAll(PLACED, '');
    if (elsewhere.includes(SECRET)) return undefined;
    const { of, settings } = (scene ?? {}) as { of?: unknown; settings?: unknown };
    const inspects = (Array.isArray(of) ? of : [of]).slice(0, 20).map((one) => parseInspect(one));
    const list = inspects.map((one) => ({ ...one, state: one.state.status, status: '' }));
    const found = discoverFrom({ list, inspects }, discoveryConfig(settings));
    // The targets hold passwords for their connections; only how they were found, and why not, is shown.
    const { postgres, redis, n8n, waha, missing } = found;
    const targets = [postgres, redis, n8n, waha, n8n?.database, n8n?.queue];
    for (const target of targets)
      if (target && 'port' in target && !(target.port > 0)) throw new TypeError('no port');
    return [
      missing,
      ...targets.map((target) => target?.how),
      inspects.map((one) => namesByEngine('post', engineNames(one), one.image)),
    ];
  }),
  text(
    'recorded series',
    ['timestamp,value\n' + seconds.join('\n'), '2025-07-16T10:30:00Z,5\n2025-07-16 10:31,6\n'],
    (csv) => replay(parseSamples(csv, 'series.csv'), 2e9).samples,
  ),
  text(
    'systemctl show',
    [
      'Id=vps-monitor.service\nLoadState=loaded\nActiveState=active\nExecMainStatus=0\nLastTriggerUSec=Wed 2025-07-16 10:30:00 UTC\nNextElapseUSecRealtime=Thu 2025-07-17 08:00:00 UTC\n\nId=x.timer\nLastTriggerUSecMonotonic=5min 3s\n',
    ],
    (show) => parseUnits(show, 5),
  ),
  text(
    'one line of text',
    [`a\u001b]8;;x\u0007b=${SECRET}\u200b c\u202e`, 'progress 1%\rprogress 99%', '\ud800 x'],
    (line) => [
      visible(line).length,
      plain(maskSecrets(line, [SECRET]), 80),
      safeHtml(maskSecrets(line, [SECRET])),
      escapeHtml(maskSecrets(line, [SECRET])),
    ],
  ),
  text(
    'masked',
    [`token=${SECRET}`, `{"password":"${SECRET}"}`, `postgres://u:${SECRET}@h/db`, `curl -u a:${SECRET}`],
    (line) => [maskSecrets(line, [SECRET]), errorText(new Error(maskSecrets(line, [SECRET])))],
  ),
  text(
    'environment',
    [`PASSWORD=${SECRET}`, `API_KEY=${SECRET}\nA=b`],
    (env) => secretsFromEnv(env.split('\n')).length,
  ),
  text(
    'HTML of a message',
    [
      '<b>Stopped</b> <a href="http://x">y</a> &lt;i&gt; <pre><code class="language-x">z</code></pre>',
      '<b><i><u>'.repeat(50),
    ],
    (html) => {
      const parts = splitHtml(html, 40);
      if (parts.some((part) => htmlToPlain(part).length > 40)) throw new TypeError('a part is too long');
      const at = 1_767_225_600_000;
      const told = Array.from({ length: 3 }, () => ({
        at,
        severity: 'info' as const,
        kind: 'k',
        subject: html.slice(0, 50),
        line: headline({ html, subject: 'x' }),
      }));
      return [
        shortenHtml(html, 50, (missing) => `${missing} more`).length,
        digestHtml(told, 'vps').length,
        htmlToPlain(html).length,
      ];
    },
  ),
  {
    name: 'rows of the history',
    samples: [Buffer.from([2, 1, 5, 200, 1, 3, 4, 0]), Buffer.alloc(50, 0xff)],
    run(input) {
      let seen = 0;
      const blob = input.buffer.slice(input.byteOffset, input.byteOffset + input.length);
      const count = () => (seen += 1);
      const whole = [readRaw(blob, 5, count, count), readBucket(blob, count)];
      if (seen > 2 * input.length + 2) throw new TypeError('more values than bytes');
      return [whole, seen];
    },
  },
  text('rows of JSON', ['{"a":[1,2,{"b":null}]}', '1e999', '"x"'], (row) => [
    readJson(v.array(v.number()), row),
    readJson(v.record(v.string(), v.unknown()), row) !== undefined,
    readState(row),
  ]),
  {
    name: 'bounded JSON',
    samples: ['[[[[[[1]]]]]]', '{"a":"\\u0041\\\\"}', '['.repeat(200)],
    throws: [AnswerError],
    run: (input) => typeof parseBoundedJson(input),
  },
];
