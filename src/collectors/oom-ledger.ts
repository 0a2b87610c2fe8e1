// Which kills there were, each once and under one id for ever, out of three witnesses: the kernel's counter says that, the
// kernel log says who, Docker says in which container. The log may be unreadable or have lost lines, Docker's word may
// come late or twice, and all of it is heard again after a restart.
import * as v from 'valibot';
import { EpochMs, Finite, loosely } from '../model/shapes.ts';
import type { OomKill } from '../model/snapshot.ts';
import type { DockerEvent } from '../system/types.ts';

const Kill = loosely<OomKill>({
  id: v.string(),
  at: EpochMs,
  process: v.string(),
  pid: Finite,
  rssBytes: Finite,
  cgroup: v.string(),
  scope: v.string(),
  containerId: v.optional(v.string()),
  containerName: v.optional(v.string()),
  limitBytes: v.optional(Finite),
  limitedCgroup: v.optional(v.string()),
  trigger: v.optional(v.picklist(['sysrq', 'cpuset', 'policy'])),
});
/** A kill known without the kernel log. */
const KeptKill = v.object({
  kill: Kill,
  /** Epoch ms before which it did not happen. */
  from: EpochMs,
  /** The same kill in the kernel log, where that could be read later. */
  kernelId: v.exactOptional(v.string()),
});
type KeptKill = v.InferOutput<typeof KeptKill>;
/** What outlives the process. Kills that the kernel log has are not in it: it has them still. */
export const SeenKills = v.object({
  bootId: v.string(),
  /** So many of the kernel's counter are accounted for. */
  explained: Finite,
  /** Sequence number of the last kill in the kernel log that was accounted for. */
  lastSeq: v.exactOptional(Finite),
  told: v.array(KeptKill),
});
export type SeenKills = v.InferOutput<typeof SeenKills>;
export type Hearing = {
  now: number;
  monotonic: number;
  /** Undefined on kernels without one (before 4.13). */
  counter: number | undefined;
  /** New ones, oldest first. */
  kernel: (OomKill & { seq: number })[];
  logReadable: boolean;
};

/** Clocks of the kernel log and of Docker differ by this much after weeks. */
const SAME_KILL_MS = 15_000;
/** The counter is ahead of the log and of Docker's event by moments. */
const GRACE_MS = 2_000;
const EVENT_LIFETIME_MS = 120_000;
/** Two words of Docker about one kill come at once. */
const ONE_EVENT_MS = 1_000;
const MAX_KEPT = 200;

type Waiting = { event: DockerEvent; at: number; heardAt: number };

/** What is known of the kills of this boot. */
type Ledger = {
  bootId: string;
  kept: KeptKill[];
  kernel: OomKill[];
  /** So many of the counter are accounted for; undefined until the first look at it where there is no earlier process. */
  explained: number | undefined;
  lastSeq: number | undefined;
  waiting: Waiting[];
  unexplainedSince: number | undefined;
  /** Epoch ms of the last time when every kill was accounted for. */
  comparedAt: number | undefined;
};

/** `before`: what an earlier process left, of this or another boot; undefined at the very first start, when all is history. */
export function createOomLedger(bootId: string, before: SeenKills | undefined) {
  const sameBoot = before?.bootId === bootId ? before : undefined;
  const ledger: Ledger = {
    bootId,
    kept: structuredClone(sameBoot?.told ?? []),
    kernel: [],
    // After a reboot the counter began at 0, and every kill since is news.
    explained: sameBoot?.explained ?? (before ? 0 : undefined),
    lastSeq: sameBoot?.lastSeq,
    waiting: [],
    unexplainedSince: undefined,
    comparedAt: undefined,
  };
  return {
    hear: (hearing: Hearing) => hear(ledger, hearing),
    /** To be judged with the next `hear`. */
    onDocker(event: DockerEvent, monotonic: number): void {
      const { waiting } = ledger;
      if (waiting.some((entry) => eventId(entry.event) === eventId(event))) return;
      waiting.push({ event, at: Number(event.timeNano / 1_000_000n), heardAt: monotonic });
    },
    /** All kills of this boot that are still known, oldest first. The same objects every time: names may be added. */
    all: () => all(ledger),
    seen(): SeenKills {
      const { explained = 0, lastSeq, kept } = ledger;
      return { bootId, explained, ...(lastSeq === undefined ? {} : { lastSeq }), told: kept };
    },
  };
}

function hear(ledger: Ledger, hearing: Hearing): void {
  const { counter } = hearing;
  if (counter !== undefined) ledger.explained = Math.min(ledger.explained ?? counter, counter);
  const heardLog = ledger.lastSeq !== undefined;
  for (const kill of hearing.kernel) takeKernel(ledger, kill);
  // At the first look into the log, its kills are of any age: all that were counted are accounted for, and not more.
  if (!heardLog && counter !== undefined) ledger.explained = Math.min(ledger.explained ?? counter, counter);
  ledger.waiting = ledger.waiting.filter((entry) => !isKnown(ledger, entry));
  if (counter === undefined) takeUncounted(ledger, hearing);
  else takeUnexplained(ledger, hearing, counter);
  ledger.waiting = ledger.waiting.filter(({ heardAt }) => hearing.monotonic - heardAt < EVENT_LIFETIME_MS);
  ledger.kernel = ledger.kernel.slice(-MAX_KEPT);
  ledger.kept = ledger.kept.slice(-MAX_KEPT);
}

function takeKernel(ledger: Ledger, { seq, ...kill }: OomKill & { seq: number }): void {
  const same =
    ledger.kept.find(({ kernelId }) => kernelId === kill.id) ??
    ledger.kept.find((entry) => entry.kernelId === undefined && isSame(entry, kill));
  if (same) {
    same.kernelId = kill.id;
    same.kill = { ...kill, ...names(same.kill), id: same.kill.id };
  } else {
    ledger.kernel.push(kill);
    // Known to an earlier process, which accounted for it.
    if (ledger.explained !== undefined && (ledger.lastSeq === undefined || seq > ledger.lastSeq))
      ledger.explained += 1;
  }
  ledger.lastSeq = Math.max(ledger.lastSeq ?? -1, seq);
}

/** Docker's word about a kill that is known, or about one that it reported already. */
function isKnown(ledger: Ledger, { event, at }: Waiting): boolean {
  if (ledger.kept.some(({ kill }) => kill.id === eventId(event))) return true;
  if (all(ledger).some((kill) => kill.containerId === event.id && Math.abs(kill.at - at) <= SAME_KILL_MS)) {
    return true;
  }
  // Reported as unknown before Docker knew where.
  const nameless = ledger.kept.find(
    (entry) => entry.kill.containerId === undefined && entry.kernelId === undefined && isWithin(entry, at),
  );
  if (!nameless) return false;
  Object.assign(nameless.kill, { containerId: event.id, containerName: event.name, scope: 'container' });
  return true;
}

/** Without a counter: the log is believed where it can be read, else every word of Docker is a kill. */
function takeUncounted(ledger: Ledger, { logReadable }: Hearing): void {
  if (logReadable) return;
  for (const { event, at } of ledger.waiting) {
    const twin = ledger.kept.some(
      ({ kill }) => kill.containerId === event.id && Math.abs(kill.at - at) <= ONE_EVENT_MS,
    );
    if (!twin) ledger.kept.push({ kill: fromEvent(event, at), from: at });
  }
  ledger.waiting = [];
}

function takeUnexplained(ledger: Ledger, { logReadable, monotonic, now }: Hearing, counter: number): void {
  const missing = counter - (ledger.explained ?? counter);
  if (missing <= 0) {
    ledger.unexplainedSince = undefined;
    ledger.comparedAt = now;
    return;
  }
  ledger.unexplainedSince ??= monotonic;
  const graceOver = monotonic - ledger.unexplainedSince >= GRACE_MS;
  if (logReadable && !graceOver) return;
  for (const { event, at } of takeFitting(ledger, missing, now)) {
    ledger.kept.push({ kill: fromEvent(event, at), from: at });
    ledger.explained = (ledger.explained ?? 0) + 1;
  }
  if (!graceOver) return;
  while ((ledger.explained ?? counter) < counter) {
    ledger.explained = (ledger.explained ?? 0) + 1;
    ledger.kept.push({
      kill: unknownKill(ledger.bootId, ledger.explained, now),
      from: ledger.comparedAt ?? now,
    });
  }
  ledger.unexplainedSince = undefined;
}

/** Words of Docker that may be about kills since everything was accounted for, the newest ones. */
function takeFitting(ledger: Ledger, missing: number, now: number): Waiting[] {
  // After the clock was set back, times before and after cannot be compared.
  const earliest =
    ledger.comparedAt !== undefined && ledger.comparedAt <= now ? ledger.comparedAt - GRACE_MS : 0;
  const fitting = ledger.waiting
    .filter(({ at }) => at >= earliest)
    .toSorted((a, b) => b.at - a.at)
    .slice(0, missing);
  ledger.waiting = ledger.waiting.filter((entry) => !fitting.includes(entry));
  return fitting.toReversed();
}

function all(ledger: Ledger): OomKill[] {
  return [...ledger.kernel, ...ledger.kept.map(({ kill }) => kill)].toSorted((a, b) => a.at - b.at);
}

function eventId(event: DockerEvent): string {
  return `docker:${event.id}:${event.timeNano}`;
}

function isWithin({ from, kill }: KeptKill, at: number): boolean {
  return at >= from - GRACE_MS && at <= kill.at + GRACE_MS;
}

function isSame(entry: KeptKill, kill: OomKill): boolean {
  if (entry.kill.containerId === undefined) return isWithin(entry, kill.at);
  const where = kill.containerId ?? entry.kill.containerId;
  return where === entry.kill.containerId && Math.abs(entry.kill.at - kill.at) <= SAME_KILL_MS;
}

function names({ containerId, containerName, limitBytes }: OomKill): Partial<OomKill> {
  return {
    ...(containerId === undefined ? {} : { containerId }),
    ...(containerName === undefined ? {} : { containerName }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
  };
}

function fromEvent(event: DockerEvent, at: number): OomKill {
  return {
    ...nobody(eventId(event), at),
    scope: 'container',
    containerId: event.id,
    containerName: event.name,
  };
}

/** The counter's number makes an id that every process finds again. */
function unknownKill(bootId: string, number: number, at: number): OomKill {
  return { ...nobody(`${bootId}:counter:${number}`, at), scope: 'unknown' };
}

function nobody(id: string, at: number) {
  return { id, at, process: 'unknown', pid: 0, rssBytes: 0, cgroup: '' };
}
