import type { Change } from './change.ts';
import type { ContainerFact } from './container-fact.ts';
import type { Finding, Severity } from './finding.ts';

export type IncidentState = 'pending' | 'firing' | 'resolved';
export type Incident = {
  id: number;
  rule: string;
  subject: string;
  alias?: string;
  state: IncidentState;
  severity: Severity;
  /** Epoch ms: first breach. */
  openedAt: number;
  /** Held long enough. */
  firedAt?: number;
  resolvedAt?: number;
  /** How it ended: a value beyond its clear level, or a subject that is not there any more (disk unmounted, session deleted). */
  endedAs?: 'cleared' | 'gone';
  /** The sentence of the finding that ended it. */
  endText?: string;
  /** First `ok` in a row, while firing. */
  okSince?: number;
  /** First sight of a higher severity that has not held long enough yet. */
  worseSince?: number;
  /** Since when a rule that looked did not find the subject any more. */
  missingSince?: number;
  lastSeenAt: number;
  value?: number;
  worst?: number;
  limit?: number;
  unit?: Finding['unit'];
  text: string;
  details: string[];
  cause?: string;
  /** About containers: what was observed when it began, or last while it went on. */
  fact?: ContainerFact;
  /** What was observed when it ended, or is fine for the moment. */
  endFact?: ContainerFact;
  /** Telegram messages about it so far. */
  notified: {
    count: number;
    lastAt?: number;
    severity?: Severity;
    firstAt?: number;
    /** Epoch ms from which the repeats (1 h, 4 h, daily) are counted. */
    since?: number;
    /** Sent in another incident's message (same cause); its own id where it was in a message that is no incident. */
    withId?: number;
    /** Ended; until this epoch ms its end waits for the others of its group. */
    endDue?: number;
    /** What is to be sent about it waits for others of its kind, or for the moment at which it is true. */
    waits?: NotifyReason;
    /** That it flaps was sent. */
    flapping?: boolean;
    /** Its message has the remark that its subject changes often, and that no further ones are sent until it is calm. */
    often?: true;
  };
  /** Same cause: the incident that was sent first. Its own id for that one. */
  groupId?: number;
  /** Epoch ms of the last starts and ends of the same rule and subject, for flapping. */
  flips: number[];
  flapping: boolean;
  /** Starts and ends since it began to flap, those that led to it included; of events, how many came close together. */
  changes?: number;
  /** It came once, has no end (an OOM kill): resolved from its first moment. */
  event?: boolean;
  /** How often it began, how long it lasted in all without the time since it began last (ms), and since when (epoch ms). */
  spells?: Spells;
  /** Of an event: what its subject was called before. */
  was?: string;
  /** What recovery did about it, plain lines. */
  actions: string[];
  /** Who acknowledged it on Telegram, and how bad it was then; `silent`: nothing more is sent until it ends. */
  ack?: { by: string; at: number; severity: Severity; silent?: boolean };
};

/** `since` is missing while it is fine. `from`: epoch ms of the first start. */
export type Spells = { count: number; ms: number; since?: number; from: number };

export type IncidentChange = {
  incident: Incident;
  /**
   * opened: breached, not held long enough yet. dropped: it never was. flapping, calm: it began to flap, and stopped. unseen: nobody
   * can see how it is.
   */
  kind:
    | 'opened'
    | 'dropped'
    | 'fired'
    | 'worse'
    | 'resolved'
    | 'still'
    | 'unseen'
    | 'event'
    | 'flapping'
    | 'calm';
  /** The key under which it was known before its subject was renamed. */
  was?: string;
  /** The finding was quiet: another message has it. */
  quiet?: boolean;
};

/** Why a message is sent. */
export const NOTIFY_REASONS = [
  /** It started (or is an event), and was not sent before. */
  'first',
  /** A higher severity than was sent. */
  'worse',
  /** Still the same after 1 h, 4 h, then daily. */
  'repeat-due',
  /** It ended: how long it lasted and its worst value are in the incident. */
  'resolved',
  /** More than 5 changes in 10 minutes: sent once, then quiet until it is stable. `incident.changes` counts. */
  'flapping',
  /** It came and went, and now it stays. */
  'stays',
  /** It stopped flapping: `incident.state` is how it is now. */
  'stable',
  /** Further ones of the same cause and rule, sent together at the end of the 10 s. */
  'grouped',
] as const;
export type NotifyReason = (typeof NOTIFY_REASONS)[number];

/** One message to be rendered. */
export type Notification = {
  reason: NotifyReason;
  at: number;
  /** What it is about; of several, the most severe. `incident.event` is true for what came once and has no end. */
  incident: Incident;
  /** Further incidents in the same message (same cause, or repeats of the same rule that are due together). Never includes `incident`. */
  others: Incident[];
  /** The same change of several containers: `incident` and `others`, each in a line. */
  list?: Change;
  /** Further ones like it are not sent until it has been calm. */
  often?: true;
  /** What came just before and was not sent, for it is not so any more. */
  before?: Incident[];
  /** For `worse`: the severity that was sent before. */
  previousSeverity?: Severity;
};
