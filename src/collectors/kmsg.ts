// What the kernel writes when it kills for want of memory. Since 5.0, for the limit of a container:
//
//   tail invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
//   memory: usage 20480kB, limit 20480kB, failcnt 42
//   oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=<id>,mems_allowed=0,oom_memcg=/docker/<id>,
//     task_memcg=/docker/<id>,task=tail,pid=3087,uid=0                                           (one line)
//   Memory cgroup out of memory: Killed process 3087 (tail) total-vm:11984kB, anon-rss:9856kB, file-rss:1264kB, …
//
// and for the whole machine `constraint=CONSTRAINT_NONE,…,global_oom,task_memcg=…`, `Out of memory: Killed process …`. Before:
//
//   Task in /docker/<id> killed as a result of limit of /docker/<id>
//   Memory cgroup out of memory: Kill process 3087 (tail) score 1006 or sacrifice child
//   Killed process 3087 (tail) total-vm:11984kB, anon-rss:9856kB, file-rss:1264kB
//
// Asked for by hand (`echo f > /proc/sysrq-trigger`), the order is -1 and a line comes before:
//
//   sysrq: Manual OOM execution
//   kworker/0:1 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=-1, oom_score_adj=0
//
// CONSTRAINT_CPUSET and CONSTRAINT_MEMORY_POLICY: what the process may use of the machine was full, not all of it.
//
// Everything but the `Killed process` line is left out when many are killed in a short time (rate limit of the kernel).
import { plain } from '../model/text.ts';
import type { OomKill } from '../model/snapshot.ts';
import type { KernelRecord } from '../system/types.ts';

export type KernelKill = { seq: number; usec: number } & Pick<
  OomKill,
  | 'process'
  | 'pid'
  | 'rssBytes'
  | 'cgroup'
  | 'scope'
  | 'containerId'
  | 'limitBytes'
  | 'limitedCgroup'
  | 'trigger'
>;

/** What is known when the `Killed process` line comes. */
type Context = {
  usec: number;
  /** Of the group whose limit was hit; absent for the whole machine. */
  limited?: string;
  victim?: string;
  pid?: number;
  limitBytes?: number;
  global?: boolean;
  trigger?: NonNullable<OomKill['trigger']>;
  /** An attribution that another message of the kernel broke in two. */
  broken?: string;
  /** The kernel kills the whole group: the attribution holds for the next victims, too. */
  group?: boolean;
};

const KILLED =
  /^(?:(.*?): )?Killed process (\d+),? (?:UID \d+, )?\((.*)\),?(?: UID \d+,)? total-vm:\d+kB, anon-rss:(\d+)kB(?:, file-rss:(\d+)kB)?(?:, shmem-rss:(\d+)kB)?/s;
const ATTRIBUTION =
  /^oom-kill:constraint=CONSTRAINT_(\w+),.*?,(?:(global_oom)|oom_memcg=(.*?)),task_memcg=(.*?),task=.*,pid=(\d+),uid=\d+/s;
const BY_HAND = /^[Ss]ys[Rr]q ?: Manual OOM execution/;
const TRIGGERS: Record<string, NonNullable<OomKill['trigger']>> = {
  CPUSET: 'cpuset',
  MEMORY_POLICY: 'policy',
};
const OLD_ATTRIBUTION = /^Task in (\/.*) killed as a result of limit of (\/.*)$/;
const GROUP = /^Tasks in (\/.*) are going to be killed due to memory\.oom\.group set/;
const LIMIT = /^memory: usage \d+kB, limit (\d+)kB, failcnt/;
const OLD_KILL = /^(.*?): Kill process \d+ \(.*\) score -?\d+ or sacrifice child/;
/** "Unlimited" on v1 is a number next to 2^63. */
const UNLIMITED_KB = 2 ** 50;
/** The kernel writes all lines of one kill at once. */
const TOGETHER_USEC = 10_000_000;

/** Feed it every record in order; it returns a kill with its `Killed process` line. Remembers the lines before. */
export function createKillParser(): (record: KernelRecord) => KernelKill | undefined {
  let context: Context = { usec: 0 };
  let askedAt = Number.NEGATIVE_INFINITY;
  return (record) => {
    const { text, usec } = record;
    if (BY_HAND.test(text)) askedAt = usec;
    const begins = text.includes(' invoked oom-killer: ');
    if (begins || usec - context.usec > TOGETHER_USEC) context = { usec };
    if (begins && (/, order=-1,/.test(text) || usec - askedAt < TOGETHER_USEC)) {
      context.trigger = 'sysrq';
      askedAt = Number.NEGATIVE_INFINITY;
    }
    const kill = KILLED.exec(text);
    if (!kill) {
      context = { ...context, ...learn(text, context) };
      return undefined;
    }
    const found = toKill(record, kill, context);
    // Old kernels name no victim: their lines hold for one kill. Newer ones differ by the pid.
    if (context.pid === undefined && !context.group) context = { usec };
    return found;
  };
}

function learn(text: string, context: Context): Partial<Context> {
  const limit = LIMIT.exec(text)?.[1];
  if (limit !== undefined) {
    return Number(limit) < UNLIMITED_KB ? { limitBytes: Number(limit) * 1024 } : {};
  }
  const old = OLD_ATTRIBUTION.exec(text);
  if (old) return { victim: old[1]!, limited: old[2]! };
  const group = GROUP.exec(text)?.[1];
  if (group !== undefined) return { victim: group, group: true };
  const kind = OLD_KILL.exec(text)?.[1];
  if (kind !== undefined) return { global: isGlobal(kind) };
  const whole = text.startsWith('oom-kill:')
    ? text
    : text.startsWith(',') && context.broken
      ? context.broken + text
      : undefined;
  return whole === undefined ? {} : attribute(whole);
}

function attribute(line: string): Partial<Context> {
  const match = ATTRIBUTION.exec(line);
  if (!match) return { broken: line };
  const [, constraint = '', global, limited, victim, pid] = match;
  const trigger = TRIGGERS[constraint];
  return {
    victim: victim!,
    pid: Number(pid),
    ...(trigger ? { trigger } : {}),
    ...(global ? { global: true } : { limited: limited! }),
  };
}

function isGlobal(kind: string): boolean {
  return !kind.startsWith('Memory cgroup');
}

function toKill(record: KernelRecord, match: RegExpExecArray, context: Context): KernelKill {
  const [, kind, pid, comm, anon, file, shmem] = match;
  // An attribution names its victim; another one's is not believed.
  const about: Partial<Context> =
    context.pid === undefined || context.group || context.pid === Number(pid) ? context : {};
  const global = kind === undefined ? (about.global ?? about.limited === undefined) : isGlobal(kind);
  const cgroup = plain(about.victim ?? '', 300);
  const containerId = containerIn(cgroup) ?? (global ? undefined : containerIn(about.limited ?? ''));
  const ownLimit = containerId !== undefined && (about.limited ?? '').includes(containerId);
  return {
    seq: record.seq,
    usec: record.usec,
    process: plain(comm ?? '', 64) || 'unknown',
    pid: Number(pid),
    rssBytes: (Number(anon) + Number(file ?? 0) + Number(shmem ?? 0)) * 1024,
    cgroup,
    scope: global ? 'host' : ownLimit ? 'container' : 'cgroup',
    ...(containerId === undefined ? {} : { containerId }),
    ...(global || about.limitBytes === undefined ? {} : { limitBytes: about.limitBytes }),
    ...(global || ownLimit || !about.limited ? {} : { limitedCgroup: plain(about.limited, 300) }),
    ...(global && about.trigger ? { trigger: about.trigger } : {}),
  };
}

/** `/docker/<id>`, `/system.slice/docker-<id>.scope`, and groups below; the outermost, which is the one that Docker knows. */
function containerIn(path: string): string | undefined {
  return /[/-]([0-9a-f]{64})(?=\.scope|\/|$)/.exec(path)?.[1];
}
