import type { OomKill, OomValues } from '../model/snapshot.ts';
import { orAborted, withDeadline } from '../system/deadline.ts';
import { guestOf, oomKills, type Guest } from '../system/guest.ts';
import type { DockerEvent, Files } from '../system/types.ts';
import { readBootId, parseUptime } from './proc.ts';
import { createKillParser } from './kmsg.ts';
import { createOomLedger, SeenKills } from './oom-ledger.ts';
import type { Collector, CollectorDeps } from './types.ts';

const SEEN = 'oom-seen';
/** Names are nice to have: a Docker that hangs must not keep a kill from being reported. */
const NAMES_WITHIN_MS = 1_500;

/** Kills for want of memory. The daemon hands in Docker's `oom` events; the next reading has what became of them. */
export type OomCollector = Collector<'oom'> & { onDockerOom(event: DockerEvent): void };

export function createOom(deps: CollectorDeps): OomCollector {
  const { files, clock } = deps.system;
  const recalled = deps.recall(SEEN, SeenKills);
  const bootId = readBootId(files);
  const watch: Watch = {
    deps,
    bootId,
    guest: guestOf(files),
    parse: createKillParser(),
    ledger: createOomLedger(bootId, recalled),
    saved: JSON.stringify(recalled),
    lookedUp: new Set(),
  };
  return {
    read: (signal) => read(watch, signal),
    onDockerOom: (event) => watch.ledger.onDocker(event, clock.monotonic()),
  };
}

type Watch = {
  deps: CollectorDeps;
  bootId: string;
  guest: Guest | undefined;
  parse: ReturnType<typeof createKillParser>;
  ledger: ReturnType<typeof createOomLedger>;
  /** What was remembered last, as JSON. */
  saved: string | undefined;
  /** Epoch ms. */
  lastRead?: number;
  /** Containers whose name was looked up, found or not. */
  lookedUp: Set<string>;
};

async function read(watch: Watch, signal: AbortSignal): Promise<OomValues> {
  const { files, clock } = watch.deps.system;
  const { ledger } = watch;
  const now = clock.now();
  // The counter before the log: what is counted now is in the log a moment later. At the first look the other way round:
  // everything in the log is counted by then.
  const isFirst = watch.lastRead === undefined;
  const before = isFirst ? undefined : readCounter(files);
  const { kills, unreadable } = readLog(watch, now);
  const counter = isFirst ? readCounter(files) : before;
  const logReadable = unreadable === undefined;
  ledger.hear({ now, monotonic: clock.monotonic(), counter, kernel: kills, logReadable });
  watch.lastRead = now;
  const all = ledger.all();
  await addNames(watch, all, signal);
  save(watch);
  return {
    ...(counter === undefined ? {} : { killsSinceBoot: counter }),
    kills: all,
    ...(unreadable === undefined ? {} : { logUnreadable: unreadable }),
  };
}

function readLog(
  { deps, bootId, guest, parse, lastRead }: Watch,
  now: number,
): { kills: (OomKill & { seq: number })[]; unreadable?: string } {
  const { files, kernelLog } = deps.system;
  // https://github.com/lxc/lxcfs/issues/131: kills of other guests, of days ago, would be reported as kills of here and now.
  if (guest)
    return { kills: [], unreadable: `the kernel log of a guest (${guest.kind}) is the physical machine's` };
  const uptimeSec = parseUptime(files.textOr('/proc/uptime') ?? '');
  // Without it every old kill would look like one of just now.
  if (uptimeSec === 0)
    throw new Error('/proc/uptime cannot be read, which dates the kills (is HOST_ROOT right?)');
  // The log counts from boot. What came since the last look is not older than that look.
  const earliest = lastRead !== undefined && lastRead <= now ? lastRead : 0;
  const whenWas = (usec: number) =>
    Math.round(Math.min(now, Math.max(now - (uptimeSec * 1000 - usec / 1000), earliest)));
  try {
    const kills = kernelLog.read().flatMap((record) => {
      const kill = parse(record);
      if (!kill) return [];
      const { usec, ...rest } = kill;
      return [{ id: `${bootId}:${kill.seq}`, at: whenWas(usec), ...rest }];
    });
    return { kills };
  } catch (error) {
    return { kills: [], unreadable: whyUnreadable(error) };
  }
}

/** Docker's table has the names, and the limits where the log did not have them. */
async function addNames({ deps, lookedUp }: Watch, kills: OomKill[], signal: AbortSignal): Promise<void> {
  const nameless = kills.filter(
    ({ containerId, containerName, limitBytes, scope }) =>
      containerId !== undefined &&
      !lookedUp.has(containerId) &&
      (containerName === undefined || (limitBytes === undefined && scope === 'container')),
  );
  if (nameless.length === 0) return;
  const asked = deps.containers(signal);
  const table = await withDeadline(signal, NAMES_WITHIN_MS, (within) =>
    orAborted(asked, within, () => new Error('took too long')),
  ).catch(() => undefined);
  if (!table) return;
  for (const kill of nameless) {
    const container = table.find(({ id }) => id === kill.containerId);
    lookedUp.add(kill.containerId!);
    if (!container) continue;
    kill.containerName = container.name;
    if (kill.scope === 'container' && container.limitBytes !== null) kill.limitBytes ??= container.limitBytes;
  }
}

function save(watch: Watch): void {
  const seen = watch.ledger.seen();
  const text = JSON.stringify(seen);
  if (text === watch.saved) return;
  watch.deps.remember(SEEN, seen);
  watch.saved = text;
}

/** Undefined on kernels before 4.13. */
function readCounter(files: Files): number | undefined {
  const count = oomKills(files);
  return count === undefined ? undefined : Number(count);
}

function whyUnreadable(error: unknown): string {
  const { code, message } = error as Error & { code?: string };
  if (code === 'EPERM' || code === 'EACCES') {
    return 'the kernel log may not be read: that needs root or the capability CAP_SYSLOG';
  }
  if (code === 'ENOENT')
    return 'there is no kernel log here (/dev/kmsg); in a container it has to be handed in';
  return `the kernel log cannot be read: ${message}`;
}
