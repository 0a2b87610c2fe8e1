/** The outside world as the other folders see it. Every real implementation is in src/system and is handed in. */

export type Clock = {
  /** Epoch milliseconds. May jump. */
  now(): number;
  /** Milliseconds that never go back; for durations and rates. */
  monotonic(): number;
  /** Resolves after `ms`, or at once when the signal aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
};

/** Files of the watched host, below a root that tests point at a recorded tree (`/` in life, `/host` in a container). */
export type Files = {
  root: string;
  /** Text of a small file; throws with code ENOENT etc. At most `maxBytes` (default 1 MiB). Synchronous: /proc never blocks. */
  text(path: string, maxBytes?: number): string;
  /** Same, undefined where the file does not exist or may not be read. */
  textOr(path: string, maxBytes?: number): string | undefined;
  list(dir: string): string[];
  exists(path: string): boolean;
  /** Asynchronous, for a dead NFS mount must not hold the program up. */
  statfs(path: string): Promise<{
    blockSize: number;
    /** The unit of `blocks`; not known to older Node, and the same as blockSize for nearly everything but FUSE. */
    fragmentSize?: number;
    blocks: number;
    free: number;
    available: number;
    inodes: number;
    inodesFree: number;
  }>;
};

export type HttpRequest = {
  url: string;
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** For the whole exchange. */
  timeoutMs: number;
  /** Default 1 MiB; a longer answer is an error. */
  maxBytes?: number;
  signal?: AbortSignal;
  /** Talk to a unix socket instead of the URL's host. */
  socketPath?: string;
};
export type HttpAnswer = { status: number; headers: Record<string, string>; body: string };
/** Resolves for every status. Rejects with an Error whose message never contains the URL's path, query or credentials. */
export type Http = (request: HttpRequest) => Promise<HttpAnswer>;

export type DockerEvent = {
  /** Nanoseconds since the epoch, as the engine wrote it. */
  timeNano: bigint;
  /** start, die, kill, oom, stop, restart, destroy, create, pause, unpause, rename, `health_status: unhealthy`, ... */
  action: string;
  id: string;
  name: string;
  /** What Docker says about it, and every label of the container: a label `exitCode` takes the place of Docker's own. */
  attributes: Record<string, string>;
  /** vpsmon made it up from the difference between what it knew and what is. */
  unseen?: true;
  /**
   * From podman, which says neither that a stop was asked for nor (before version 5) which signal was sent, and in whose 4.3 an event of a
   * health check has what the check before it had shown.
   */
  podman?: true;
};

/** Fields used of GET /containers/json. */
export type DockerListItem = {
  id: string;
  name: string;
  image: string;
  labels: Record<string, string>;
  state: string;
  /** e.g. `Up 6 seconds (unhealthy)`. */
  status: string;
  /** `aliases`: the names under which others of the network find it; only inspect shows them. */
  networks: Record<string, { address: string; aliases?: string[] }>;
  ports: { privatePort: number; publicPort?: number; ip?: string; type: string }[];
};

/** Fields used of GET /containers/{id}/json. */
export type DockerInspect = {
  id: string;
  name: string;
  image: string;
  labels: Record<string, string>;
  created: number;
  env: string[];
  command: string[];
  /** json-file, local, journald, none, syslog, ... */
  logDriver?: string;
  /** What `docker stop` sends, as the image or the person wrote it: `SIGWINCH`, `28`, `RTMIN+3`. */
  stopSignal?: string;
  /** How long `docker stop` waits before it kills. */
  stopTimeoutMs?: number;
  restartCount: number;
  state: {
    status: string;
    pid: number;
    exitCode: number;
    oomKilled: boolean;
    error: string;
    /** Epoch ms, 0 when never. */
    startedAt: number;
    finishedAt: number;
    health?: {
      status: string;
      log: { exitCode: number; output: string; end: number }[];
    };
  };
  hostConfig: {
    /** 0 = unlimited. */
    memory: number;
    memorySwap: number;
    restartPolicy: string;
    maximumRetryCount: number;
    networkMode: string;
    autoRemove: boolean;
  };
  /**
   * What a person has it call others (`--link db:postgres`, `--add-host`), lower case, and the name or address of each. Only it
   * knows these names.
   */
  hosts?: Record<string, string>;
  /** `aliases`: the names under which others of the network find it; only inspect shows them. */
  networks: Record<string, { address: string; aliases?: string[] }>;
  ports: { privatePort: number; publicPort?: number; ip?: string; type: string }[];
};

/** An answer of the engine that is not a success. */
export type DockerError = Error & { status?: number };

/** The Docker Engine API over its socket (or tcp://). No `docker` process is ever started. All calls honour the signal and a deadline. */
export type Docker = {
  /** What it talks to, for people: `/var/run/docker.sock`. */
  address: string;
  version(signal?: AbortSignal): Promise<{
    version: string;
    apiVersion: string;
    minApiVersion: string;
    /** podman, which speaks Docker's API. */ podman?: boolean;
  }>;
  info(signal?: AbortSignal): Promise<{
    rootDir: string;
    /** The engine runs as a user; its containers' users are others outside (userns-remap). */
    rootless: boolean;
    userns: boolean;
  }>;
  list(signal?: AbortSignal): Promise<DockerListItem[]>;
  /** Throws a DockerError with status 404 when it is gone. */
  inspect(id: string, signal?: AbortSignal): Promise<DockerInspect>;
  /** The last `lines` lines of stdout and stderr, control characters removed, each cut at 400 characters. */
  logs(id: string, lines: number, signal?: AbortSignal): Promise<string[]>;
  /** The stats API, where cgroup files cannot be read. */
  stats(
    id: string,
    signal?: AbortSignal,
  ): Promise<{ workingSetBytes: number; anonBytes: number; cpuTotalNs: number } | undefined>;
  /**
   * Follows container events from `since` (nanoseconds; undefined: from now). Calls `onEvent` in order; `onOpen` when the
   * engine accepted. Resolves or rejects when the stream ends. exec_*, top and attach events are left out.
   */
  events(options: {
    since?: bigint;
    until?: bigint;
    onOpen?: () => void;
    onEvent: (event: DockerEvent) => void;
    signal: AbortSignal;
  }): Promise<void>;
  start(id: string, signal?: AbortSignal): Promise<void>;
  /** False where it was down already. */
  stop(id: string, graceSec: number, signal?: AbortSignal): Promise<boolean>;
  restart(id: string, graceSec: number, signal?: AbortSignal): Promise<void>;
  /** Sets both, in bytes, always explicit (-1: unlimited swap). */
  updateMemory(id: string, memory: number, memorySwap: number, signal?: AbortSignal): Promise<void>;
  close(): void;
};

export type KernelRecord = { seq: number; /** µs since boot */ usec: number; text: string };
export type KernelLog = {
  /** All records not read before, oldest first. Throws with code EPERM or ENOENT where it cannot be read. Never blocks. */
  read(): KernelRecord[];
  close(): void;
};

/** One read-only connection that is kept open. Reconnects by itself; every query has a deadline. */
export type Postgres = {
  address: string;
  query(sql: string, params?: unknown[], timeoutMs?: number): Promise<Record<string, unknown>[]>;
  /** One statement of a stranger, alone in a READ ONLY transaction that is always rolled back. */
  readOnly(sql: string, timeoutMs?: number): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
};
export type Redis = {
  address: string;
  call(command: string, ...args: string[]): Promise<unknown>;
  close(): Promise<void>;
};

export type RunResult = { exitCode: number; stdout: string; stderr: string };
/** Runs a program without a shell, with a deadline. Resolves for every exit code; rejects when it cannot be started. */
export type Run = (
  file: string,
  args: string[],
  options?: { timeoutMs?: number; env?: Record<string, string>; input?: string },
) => Promise<RunResult>;

export type LogLevel = 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR';
/** Diagnostics on stderr, one line each, secrets masked. */
export type Log = {
  debug(text: string): void;
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
};

/** What a collector is handed. */
export type System = {
  clock: Clock;
  files: Files;
  http: Http;
  log: Log;
  kernelLog: KernelLog;
  docker: Docker;
  /** uid 0 */
  root: boolean;
};
