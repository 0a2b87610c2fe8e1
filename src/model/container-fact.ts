// What can be observed about a container, as data: src/containers finds facts, src/model/fact-rules.ts has the rule of each kind, and
// src/outputs/telegram/containers.ts its texts. A kind without a rule or a text does not compile.
import type { ContainerHealth, ContainerState } from './snapshot.ts';

/** unseen: found dead, without an event that shows why. engine: Docker itself ended. reboot: the server did. unstarted: its start failed. */
export type Cause = 'crash' | 'oom' | 'request' | 'unseen' | 'engine' | 'reboot' | 'unstarted';

/** How and when a container died. Times in epoch ms. */
export type Death = {
  id: string;
  name: string;
  service?: string;
  project?: string;
  /** The key of its name before. */
  was?: string;
  at: number;
  /** -1: not known, for a label hides it. */
  exitCode: number;
  cause: Cause;
  /** The signal that Docker was asked to send. */
  signal?: number;
  startedAt?: number;
  /** When the container was. */
  createdAt?: number;
  restartCount: number;
  /** It was frozen by docker pause. */
  paused?: true;
  /** `docker run --rm`: it is gone with its death. */
  autoRemove: boolean;
  /** By podman, which does not say whether it was asked to. */
  podman?: true;
  /** Its restart policy. */
  policy?: string;
  /** Its last log lines, secrets masked. */
  logs?: string[];
  /** Its log driver, where that keeps no lines that Docker could show. */
  logDriver?: string;
  /** Docker's error of a start that failed, secrets masked. */
  error?: string;
};

/** What follows a stop. */
export type Next =
  /** Its restart policy allows no restart. */
  | { kind: 'no-restart'; policy: string }
  /** on-failure: as many restarts as its policy allows were tried. */
  | { kind: 'retries-used'; restarts: number }
  | { kind: 'gave-up' }
  | { kind: 'signalled' }
  | { kind: 'keeps-trying'; by: 'Docker' | 'Swarm' }
  | { kind: 'removed' }
  | { kind: 'removed-itself' }
  /** A deploy: the new container was created and no more. */
  | { kind: 'successor-not-started' }
  | { kind: 'not-started-again' }
  | { kind: 'not-tried-again' }
  | { kind: 'not-back'; policy: string };

/** The container at the moment of the fact. */
export type Observed = { id: string; state: ContainerState; health: ContainerHealth; restartCount: number };

/** Why a condition is over without news of its own. */
export type Because =
  'died' | 'replaced' | 'back' | 'healthy' | 'unchecked' | 'removed' | 'not-watched' | 'exists';

/** What a condition is: down, failing its health check, or not there although it is to be watched. */
export type Condition = 'stopped' | 'unhealthy' | 'missing';

type Kinds = {
  stopped: {
    death: Death;
    restartCount: number;
    next?: Next;
    /** It died right after a deploy. */
    deploy?: true;
    /** A deploy or a restart that was asked for, and did not start. */
    failed?: true;
    /** Nothing is left that could run again: a job that ended, or a container that was removed. */
    over?: 'job' | 'removed';
    /** After a reboot: Docker should have started it again. */
    expected?: boolean;
  };
  paused: { restartCount: number };
  /** It runs again after it was down for `forMs`. */
  running: { seen: Observed; from: 'stopped' | 'paused'; forMs: number };
  /** Output and exit code are those of the last run of the health check that failed. */
  unhealthy: {
    seen: Observed;
    output?: string;
    exitCode?: number;
    logs?: string[];
    logDriver?: string;
    after?: 'redeployed' | 'restarted';
  };
  healthy: { seen: Observed; forMs: number };
  /** It crashed, and its restart policy brought it back after `awayMs`; without it, it is down again, and Docker goes on trying. */
  restarting: { death: Death; restartCount: number; awayMs?: number; restarts24h: number; deploy?: true };
  malfunction: { seen: Observed; death: Death; limit: number };
  'restart-loop': { seen: Observed; death: Death; count: number; windowMs: number; limit: number };
  started: { id: string };
  /** A deploy or a restart by hand, and how it turned out. */
  redeployed: Successor;
  restarted: Successor & { withDocker?: true };
  /** It went down and runs again, and another message has that: one of the start, or about its health. */
  'was-down': object;
  /** News: it goes by another name. */
  renamed: { was: string };
  /** At once: what is open under the old name goes on under the new one. */
  called: { was: string };
  /** Removed on request while something was wrong with it. */
  removed: object;
  /** A name that is to be watched; `created`: its container was created, and never started. */
  missing: { created?: true };
  /** A condition that was observed does not hold any more. */
  over: { condition: Condition; because: Because };
  /** Nothing about it holds any more: another message has that, or nobody needs to know. */
  gone: { because: Because };
  /** So many ran when it went, and so many of them stopped with it; `names`: those of them that may be named. */
  'docker-gone': { why: string; ran: number; stopped: number; names: Named[] };
  /** So many ran before, run now, and ran on while Docker was away; `absent`: those not running that may be named. */
  'docker-back': { awayMs: number; before: number; running: number; kept: number; absent: Named[] };
  /** Docker answers at the first look. */
  'docker-answers': object;
  /** A change of it could not be followed. */
  unreadable: { what: 'died' | 'changed' | 'unhealthy'; why: string };
};

/** `removed`: it does not exist any more. */
export type Named = { name: string; service?: string; removed?: true };

type Successor = {
  outcome:
    | { kind: 'healthy'; afterMs?: number }
    | { kind: 'not-healthy-yet'; afterMs: number }
    | { kind: 'unhealthy' }
    | { kind: 'running'; afterMs?: number };
  /** The container whose place it took. */
  inPlaceOf?: string;
  /** Working set in bytes, before and after. */
  memory?: { before: number; after: number };
};

export type FactKind = keyof Kinds;
export type FactOf<K extends FactKind> = {
  kind: K;
  name: string;
  /** Its Compose service. */
  service?: string;
  /** Epoch ms. */
  at: number;
  /** Nobody asked for it to be watched, and nothing starts it again: jobs have random names. */
  job?: true;
  /** The message about the start, or about Docker, has it already. */
  reported?: true;
} & Kinds[K];
export type ContainerFact = { [K in FactKind]: FactOf<K> }[FactKind];

/**
 * A condition that was reported under this name, and since when it holds (epoch ms). `how`, of `stopped`: Docker goes on trying to
 * start it, or it is paused; of `missing`: its container was created.
 */
export type Holding = {
  name: string;
  service?: string;
  since: number;
  how?: 'policy' | 'paused' | 'created';
  /** How it stopped, as it was reported last. */
  stopped?: FactOf<'stopped'>;
};
/** The condition of a container that an open incident is about. */
export type OpenCondition = Holding & { condition: Condition | 'restart-loop' | 'malfunction' };

/** Names of the signals that containers are sent or end with, by number (Linux, x86 and ARM). */
export const SIGNALS: Record<number, string> = Object.fromEntries(
  (
    'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT ' +
    'CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'
  )
    .split(' ')
    .map((name, at) => [at + 1, `SIG${name}`]),
);
