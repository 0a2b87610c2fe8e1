import type { Config } from '../config/schema.ts';
import type { Condition, ContainerFact, Death, Holding, OpenCondition } from '../model/container-fact.ts';
import type { MonitorReport } from '../model/monitor-report.ts';
import type { ContainerInfo } from '../model/snapshot.ts';
import type { Db } from '../store/db.ts';
import type {
  Clock,
  Docker,
  DockerEvent,
  DockerInspect,
  DockerListItem,
  Files,
  Log,
} from '../system/types.ts';

/** Wall time is what people read; waiting is measured on the clock that never jumps. Both in milliseconds. */
export type Moment = { wall: number; mono: number };

/** A container as Docker shows it, and what vpsmon counts about it. Changed in place: 500 of them are a normal day. */
export type Known = {
  info: ContainerInfo;
  maxRetries: number;
  autoRemove: boolean;
  /** False until the first inspect: then policy and limit are guesses. */
  complete: boolean;
  /** Counts events, so that an answer that was asked for before one is recognised as old. */
  seq: number;
  /** Swarm runs it: it replaces one that ends by another one. */
  swarm?: true;
  /** Its label asks to be left alone. */
  ignored?: true;
  /** Attributes of Docker's events that its labels hide. */
  shadowed?: Shadowed[];
  /** What `docker stop` sends it, where that is not SIGTERM. */
  stopSignal?: number;
  /** How long `docker stop` waits for it, where that is not 10 s. */
  stopTimeoutMs?: number;
  /** It was reported as the one that took another one's place. */
  tookPlace?: true;
  /** Its name before, as a key: another one may come under that. */
  was?: string;
  /** It was created, and its start failed. */
  startError?: { text: string; exitCode: number };
  /** It was created and nothing more: how long to wait before the next look, ms. */
  lookAgainMs?: number;
  /** Monotonic: it was unpaused, and its health is that of before the pause, as far as is known. */
  unpausedAt?: number;
  /** By how much the clock was set since its last start, ms. */
  clockSetBy?: number;
  /** The last signal sent through Docker since the last start; without a number where its labels hide it. */
  kill?: { at: number; signal?: number };
  /** The last OOM kill inside it since the last start. */
  oomAt?: number;
};

export type Shadowed = 'exitCode' | 'signal' | 'name';

/** Something that has begun and is not reported yet. One per service name. `due` is monotonic. */
export type Pending =
  | {
      kind: 'crash';
      due: number;
      death: Death;
      first: number;
      willRestart: boolean | undefined;
      upAt?: number;
      /** It came up at least once since restarts were last looked at. */
      restarted: boolean;
      deploy: boolean;
      checked?: boolean;
      /** A signal was sent before: Docker's `stop` may follow, and show that it was asked for. */
      awaitsStop?: true;
    }
  | {
      kind: 'asked';
      due: number;
      death: Death;
      /** When it went down first: a deploy may stop and start more than once. */
      downFrom: number;
      removed: boolean;
      deploy: boolean;
      memoryBefore?: number;
      /** It was asked whether a start was missed. */
      checked?: boolean;
    }
  | {
      kind: 'successor';
      due: number;
      how: 'redeployed' | 'restarted';
      /** It ended with Docker, and came back with it. */
      withDocker: boolean;
      id: string;
      startedAt: number;
      downFrom: number;
      memoryBefore?: number;
      healthyAt?: number;
      /** It ran already when the one of this name was stopped. */
      inPlaceOf?: string;
      measuring?: boolean;
    }
  | News
  /** quiet: it removed itself (--rm), and its end is reported. */
  | { kind: 'removed'; due: number; at: number; quiet?: boolean };
export type PendingOf<K extends Pending['kind']> = Extract<Pending, { kind: K }>;

/**
 * A fact about the container `id` that is handed on at `due`, unless something else about it comes before. `isOld`: whether it is no
 * news any more when its time has come.
 */
export type News = {
  kind: 'news';
  due: number;
  id: string;
  fact: ContainerFact;
  isOld?(state: State): boolean;
};

/** A healthcheck that failed; its log is on the way. */
export type Check = { due: number; id: string; at: number; after?: 'redeployed' | 'restarted' };
export type Evidence = { logs?: string[]; inspect?: DockerInspect };

export type Conditions = Partial<Record<Condition, Holding>>;

/** What vpsmon counts about a service name; it outlives its containers. */
export type Tally = {
  /** Epoch ms of starts that followed a death nobody asked for, the last 24 h, at most 100. */
  restarts: number[];
  /** The last death nobody asked for. */
  lastDeath?: Death;
  /** A series of restarts was reported; it is over at this monotonic time unless there is another one. */
  series?: { kind: 'restart-loop' | 'malfunction'; name: string; until: number };
};

export type Engine = {
  up: boolean;
  /** Whether it has ever answered this monitor or an earlier one: a Docker that never was is not missed. */
  seen: boolean;
  /** It has answered this monitor. */
  met: boolean;
  /** It has answered since it was away, and the table is not compared with its list yet. */
  stale: boolean;
  downAt: Moment;
  why: string;
  /** Monotonic: when its absence is reported. */
  reportAt: number | undefined;
  reported: boolean;
  /** What ran when it went: service name -> container. */
  before: Map<string, { id: string; name: string; service?: string; startedAt: number; endedAt?: number }>;
  /** Docker is back and it is being looked at what came back with it. */
  returning?: { due: number; upAt: Moment; unlooked: Set<string> };
};

/** Settings, reduced to what the machine asks. */
export type ServiceRules = {
  loopCount: number;
  loopWindowMs: number;
  /** Names of MONITORED_SERVICES; empty: everything is watched. */
  wanted: string[];
  secrets: readonly string[];
  of(container: { name: string; service?: string }): {
    watched: boolean;
    /** Named in MONITORED_SERVICES or vpsmon.yaml: then even an end without an error is an incident. */
    named: boolean;
    malfunctionRestarts: number;
  };
  /** Working set in bytes at the last check. */
  memoryOf?: (name: string) => number | undefined;
};

export type State = {
  rules: ServiceRules;
  known: Map<string, Known>;
  /** Ids of those that are known from events only. */
  incomplete: Set<string>;
  /** Service name -> container id. The name of a container, without what Compose puts before it for a moment. */
  byKey: Map<string, string>;
  pending: Map<string, Pending>;
  checks: Map<string, Check>;
  conditions: Map<string, Conditions>;
  tallies: Map<string, Tally>;
  /** Containers that are looked at again at `due`. `unsure`: their state in a list did not fit, and no event has come since. */
  /** What is looked at again. `checked`: only its health, after a check that no event told the result of. */
  suspects: Map<string, { seq: number; due: number; unsure?: true; checked?: true }>;
  engine: Engine;
  /** By how much the clock on the wall was ahead of the one that never jumps; ms. */
  wallAheadMs?: number;
};

export type Input =
  /** `more`: another one follows at once, and what is due is looked at then. */
  | { type: 'event'; event: DockerEvent; more?: boolean }
  /** A full list; `gap` where events may have been missed before it. */
  | { type: 'listed'; items: DockerListItem[] }
  /** inspect undefined: 404, gone. `confirm`: asked because a list did not fit. */
  | { type: 'inspected'; id: string; inspect: DockerInspect | undefined; seq: number; confirm: boolean }
  | { type: 'evidence'; id: string; evidence: Evidence }
  | { type: 'measured'; id: string; bytes?: number }
  | { type: 'stream'; up: boolean; why?: string; refused?: boolean }
  | { type: 'tick' };

/** What the machine wants to know. Answers come back as inputs; a late or missing answer is no obstacle. */
export type Ask =
  | { kind: 'inspect'; id: string; seq: number; confirm: boolean }
  /** Last log lines and inspect, quickly. `killed`: ended by SIGKILL that nobody asked Docker for. */
  | { kind: 'evidence'; id: string; killed: boolean }
  | { kind: 'measure'; id: string }
  | { kind: 'list' }
  /** Events that the live stream may have lost. */
  | { kind: 'replay' };

export type Out = {
  facts: ContainerFact[];
  asks: Ask[];
  /** Service names whose remembered row changed. */
  touched: Set<string>;
};

/** One step of the machine: what it knows, when it is, what comes out. */
export type Turn = { state: State; now: Moment; out: Out };

/** What is kept of a service between two runs: the state as it was last reported. */
export type SavedService = {
  key: string;
  id: string;
  name: string;
  service?: string;
  image: string;
  state: ContainerInfo['state'];
  health: ContainerInfo['health'];
  startedAt?: number;
  restartCount: number;
  exitCode?: number;
  restarts: number[];
  /** Up to 0.3.0: what was wrong with it. Read only. */
  standing?: Partial<Record<string, { how?: 'policy' | 'paused'; up?: boolean }>>;
};

export type WatcherDeps = {
  docker: Docker;
  clock: Clock;
  log: Log;
  config: Config;
  db: Db;
  /** Of the host: the kernel's OOM counter, and whether this process runs in a container. */
  files: Files;
  onFacts(facts: ContainerFact[]): void;
  /** At once, before anything else is done about it. */
  onOom(event: DockerEvent): void;
  /** A container was started or has ended: an address may be another one's now. */
  onMoved?(event: DockerEvent): void;
  /** Start and end of the watching. */
  onReport(report: MonitorReport): void;
  /** The conditions of the open incidents about containers; those that come and go and are fine at the moment are left out. */
  openConditions?(): OpenCondition[];
  /** The server was rebooted in an orderly way since the monitor before: when it came up, epoch ms. */
  bootedAt?: number;
  /** Working set of a container at the last check, bytes. */
  memoryOf?(name: string): number | undefined;
};
