// What each source gives when it could be read.

export type Disk = {
  mount: string;
  device: string;
  fsType: string;
  /** Absent, like the other two, where the filesystem does not say in which unit it counts (FUSE). */
  totalBytes?: number;
  usedBytes?: number;
  /** Available to unprivileged users, as `df` shows it. */
  availableBytes?: number;
  /** used / (used + available), as `df` rounds it up; 0-100. */
  usedPercent: number;
  inodesTotal: number;
  /** Absent where the filesystem has no fixed number of inodes (btrfs). */
  inodesUsedPercent?: number;
  /** The kernel stopped all writing to it after an error. */
  stoppedWriting?: true;
};

export type HostValues = {
  bootId: string;
  hostname: string;
  uptimeSec: number;
  cpus: number;
  /** 0-100 over all CPUs since the last reading; absent at the first one. */
  cpuPercent?: number;
  load: [number, number, number];
  memory: { totalBytes: number; availableBytes: number; usedBytes: number };
  swap: { totalBytes: number; usedBytes: number; /** lives in RAM */ zram: boolean };
  /** From pswpin/pswpout over the time since the last reading; absent at the first one. */
  swapInKBps?: number;
  swapOutKBps?: number;
  /** Memory of the top-level cgroups (system.slice, user.slice, docker, ...), largest first. */
  cgroups: { name: string; bytes: number }[];
  /** Only while memory is short: services (the lowest cgroups), and processes outside of containers, that hold most, swap included. */
  services?: { name: string; bytes: number }[];
  processes?: { name: string; bytes: number }[];
  disks: Disk[];
  /** Mounts that did not answer this time (a dead NFS server); absent when all did. */
  disksUnreadable?: string[];
};

export type PressureLine = { avg10: number; avg60: number; avg300: number; totalUs: number };
export type PressureOf = { some: PressureLine; full?: PressureLine };
export type PressureValues = {
  memory: PressureOf;
  cpu?: PressureOf;
  io?: PressureOf;
  /** max(some.avg10, min(100, 2 x full.avg10)) of memory, 0-100. */
  score: number;
};

export type OomKill = {
  /** Unique for ever: boot id, kernel sequence or counter. */
  id: string;
  at: number;
  process: string;
  pid: number;
  /** Anonymous + file + shmem resident memory of the victim when it was killed. */
  rssBytes: number;
  cgroup: string;
  /** What ran out of memory; unknown where only the kernel's counter tells of the kill. */
  scope: 'host' | 'container' | 'cgroup' | 'unknown';
  containerId?: string;
  containerName?: string;
  /** The memory limit that was hit; absent when the whole host was out of memory. */
  limitBytes?: number;
  /** The cgroup whose limit that is, where it is not the container's own: a slice that it is in. */
  limitedCgroup?: string;
  /** What made the kernel choose somebody, where it was not the want of memory of all: `sysrq` is by hand. */
  trigger?: 'sysrq' | 'cpuset' | 'policy';
};
export type OomValues = {
  /** The oom_kill counter of /proc/vmstat, since boot. Undefined on kernels older than 4.13. */
  killsSinceBoot?: number;
  /** All kills of this boot that the kernel log still knows, oldest first. */
  kills: OomKill[];
  /** Why the kernel log cannot be read; then only the counter and Docker's events tell of kills. */
  logUnreadable?: string;
};

export type ContainerState = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
export type ContainerHealth = 'healthy' | 'unhealthy' | 'starting' | 'none';
export type ContainerInfo = {
  id: string;
  name: string;
  /** Compose service and project from the labels. */
  service?: string;
  project?: string;
  image: string;
  state: ContainerState;
  health: ContainerHealth;
  /** Restarts by policy since the last start by hand, as Docker counts. */
  restartCount: number;
  /** Starts that followed a death within the last 5 minutes, counted by vpsmon. */
  restartsLast5Min: number;
  restartPolicy: string;
  pid?: number;
  exitCode?: number;
  oomKilled: boolean;
  /** Epoch ms. */
  createdAt?: number;
  startedAt?: number;
  finishedAt?: number;
  memory?: {
    /** usage - inactive_file: what people read. */
    workingSetBytes: number;
    /** anon (v2) or total_rss (v1): what cannot be dropped. */
    anonBytes: number;
    /** What was moved out to swap, beside the numbers above. Absent where the kernel does not account for it. */
    swapBytes?: number;
  };
  /** null: unlimited. */
  limitBytes: number | null;
  /** What it may hold in swap beyond its limit; null: as much as the host has. Absent where Docker does not say. */
  swapLimitBytes?: number | null;
  /** 100 = one CPU fully used, over the time since the last reading. */
  cpuPercent?: number;
  /** The container in which this vpsmon runs. */
  self: boolean;
};
export type DockerValues = {
  version: string;
  apiVersion: string;
  containers: ContainerInfo[];
};

export type PostgresValues = {
  /** host:port, never with a password. */
  address: string;
  version: string;
  /** 0-100 over the last interval; absent when fewer than 1,000 blocks were read in it. */
  cacheHitPercent?: number;
  /** 0-100 since the server's statistics were reset; for people who look once, never judged. */
  cacheHitLifetimePercent?: number;
  connections: {
    active: number;
    idle: number;
    idleInTransaction: number;
    other: number;
    total: number;
    max: number;
    /** Of the databases and users with a CONNECTION LIMIT of their own, the one that has least of it left. */
    narrowest?: { of: 'database' | 'user'; name: string; used: number; max: number };
    /** Of `max`, what is kept for superusers and administrators: nobody else can open these. Default: 0. */
    reserved?: number;
  };
  databaseSizeBytes: number;
  /** Absent where the user may not see the transactions of others (no pg_monitor). */
  longestTransactionSec?: number;
  /** It is a standby: it replays what it receives from its primary. */
  standby?: {
    /** Absent where the user may not know whether it has a primary to receive from (no pg_monitor, before PostgreSQL 12). */
    receiving?: boolean;
    /** Received and not replayed yet. */
    waitingBytes: number;
    /** While something waits: since the last transaction that was replayed, or since its start; else 0. */
    behindSec: number;
  };
  /** Of the replication slots, the lost one, or the one that keeps most WAL from being removed. */
  slot?: { name: string; active: boolean; keptBytes: number; lost: boolean };
  /** The database that was not frozen for most transactions: at 2,147 million PostgreSQL takes no writes any more. */
  oldest?: { database: string; transactions: number };
};
export type RedisValues = {
  address: string;
  version: string;
  usedMemoryBytes: number;
  /** null: unlimited. */
  maxMemoryBytes: number | null;
  keys: number;
  clients: number;
  evictedTotal: number;
  rejectedTotal: number;
  /** `maxmemory_policy`, where it says so: what happens when it is full. */
  policy?: string;
  /** Writes that it refused for want of memory or disk since the last reading; absent at the first one and before Redis 6.2. */
  refusedWrites?: number;
  /**
   * What keeps it from writing, whatever its memory: its append-only file or its snapshot could not be written, or it is a replica.
   * Known at the first reading, and before Redis 6.2, which counts no refused writes.
   */
  unwritable?: 'aof' | 'rdb' | 'replica';
  /** Its data come from disk, so many percent of them so far: until then it answers everybody with LOADING. */
  loadingPercent?: number;
  /** Of a replica: its master, and whether the link to it is up. */
  master?: { address: string; up: boolean };
  /** Keys evicted within the last hour; absent while the monitor, and this Redis, do not know. */
  evictedLastHour?: number;
  /** It holds the queue of n8n. */
  queue?: true;
};
export type N8nQueue = {
  /** Jobs that wait, delayed ones included. */
  depth: number;
  /** Jobs that a worker could take now. */
  waiting: number;
  /** Jobs that a worker works at. This and the rest are read while jobs wait. */
  running?: number;
  /** Connected workers; read while none runs, and absent where Redis does not say. */
  workers?: number;
  /** The whole queue was paused by somebody. */
  paused?: true;
  /** Epoch ms: when the job that waits longest was put in. */
  oldestAt?: number;
};
export type N8nFailures = {
  /** Of the last so many minutes. */
  windowMin: number;
  /** 0 where that is not known, for n8n does not keep successes. */
  finished: number;
  failed: number;
  /** Failures in a row, up to now, by workflow; most first. 0 for one that has failed and succeeds again. */
  streaks: { workflow: string; count: number; since: number }[];
};
export type N8nValues = {
  /** Absent where neither the database nor the API could be read; see `problems`. Finished ones of the last hours only. */
  executions?: {
    active: number;
    waiting: number;
    completed: number;
    failed: number;
    /** Absent where only the API was read, which does not know them. */
    queued?: number;
    canceled: number;
  };
  /** Jobs waiting in Bull; absent when n8n does not run in queue mode. */
  queueDepth?: number;
  queue?: N8nQueue;
  /** The workflows with the most queued executions; read while the queue is long, from the database. */
  queuedBy?: { workflow: string; count: number }[];
  /** Executions of the last day that are queued in the database and have no job in Redis: nothing will ever run them. */
  withoutJob?: number;
  /** The workflows with the most of those that wait for so long. */
  withoutJobBy?: { workflow: string; count: number }[];
  failures?: N8nFailures;
  /** Epoch ms: when the API key ends. */
  keyExpiresAt?: number;
  /** The API gave no more than this many: there are more. */
  countedUpTo?: number;
  /** `more`: n8n has more than were counted. */
  workflows?: { total: number; active: number; more?: true };
  healthy?: boolean;
  /** Seconds since it was first seen unhealthy; absent while it is healthy. */
  unhealthyForSec?: number;
  /** What could not be read this time although it should be there, one plain sentence each. */
  problems?: string[];
};
export type WahaSession = {
  name: string;
  status: string;
  /** Epoch ms: since when vpsmon has seen it in this status. */
  since: number;
  /** Epoch ms: since when it is in any status but WORKING, for a session that wanders between STARTING and FAILED. Default: `since`. */
  notWorkingSince?: number;
  /** Epoch ms of the last *outgoing* activity, where WAHA says so. Old does not mean stuck. */
  lastActivity?: number;
};
export type WahaValues = { address: string; sessions: WahaSession[] };
export type SqlSample = { name: string; help: string; labels: Record<string, string>; value: number };
export type SqlValues = { samples: SqlSample[]; broken: { name: string; why: string }[] };

/** Jobs wait, and none runs: more or less of them is no question until somebody takes them. */
export function nobodyWorks(queue: N8nQueue | undefined): boolean {
  return queue !== undefined && queue.waiting > 0 && queue.running === 0;
}

/** These WhatsApp sessions need a person with the phone: a restart would only show another code. */
export function needsPerson(status: string): boolean {
  return status === 'SCAN_QR_CODE' || status.startsWith('PASSKEY');
}
