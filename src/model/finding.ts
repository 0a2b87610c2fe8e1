import type { ContainerFact } from './container-fact.ts';
import type { RuleId } from './rules.ts';
import { formatBytes, formatCount, formatDuration } from './text.ts';

export const SEVERITIES = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/**
 * What a rule finds about one subject at one moment.
 * breach: over a limit. ok: beyond the clear level. between: neither, keeps what is. unknown: could not be seen, freezes
 * what is and never resolves it. event: came once, has no end.
 */
export type Verdict = 'breach' | 'ok' | 'between' | 'unknown' | 'event';

/** Subject of an `unknown` finding that is about every subject of its rule: the source could not be read. */
export const EVERY_SUBJECT = '*';

export type Finding = {
  /** Rule id, e.g. `memory-available`, `container-stopped`. */
  rule: RuleId;
  /** What it is about: a container, mount, session, source, or `host`. Never escaped here. */
  subject: string;
  severity: Severity;
  verdict: Verdict;
  value?: number;
  limit?: number;
  unit?: 'percent' | 'bytes' | 'kBps' | 'count' | 'seconds' | 'score';
  /** One plain sentence, e.g. "Available memory is 87 MB, below 100 MB". Not escaped. */
  text: string;
  /** Further plain lines: largest containers, last log lines. Not escaped. */
  details?: string[];
  /** How long a breach must hold before it is sent. */
  holdMs?: number;
  /** Findings with the same cause that start within 10 s are one message: `docker-gone`, `oom:<id>`, ... */
  cause?: string;
  /** For events: sent once for ever under this id. */
  once?: string;
  /** Another message has it already (the start message): the incident opens or ends and counts as sent, unless it is silenced. */
  quiet?: boolean;
  /** About containers: what was observed. */
  fact?: ContainerFact;
  /**
   * For `ok`: ends the incident at once, even while it flaps (stopped while unhealthy). `undone`: and what has been so far does
   * not count as a change. `gone`: there is nothing left that could be watched.
   */
  end?: 'now' | 'undone' | 'gone';
  /** The name of the subject before: the incident of that name goes on under this one. A silence of either covers an event. */
  was?: string;
  /** For containers: Compose service, so that silences and per-service cooldowns match either name. */
  alias?: string;
  at?: number;
};

/** A value with its unit as people read it: "87 MB", "91.5 %", "5,200 KB/s". */
export function formatValue(value: number, unit: Finding['unit']): string {
  switch (unit) {
    case 'percent':
      return `${Math.round(value * 10) / 10} %`;
    case 'bytes':
      return formatBytes(value);
    case 'kBps':
      return `${formatCount(value)} KB/s`;
    case 'seconds':
      return formatDuration(value * 1000);
    case 'score':
      return String(Math.round(value));
    case 'count':
    case undefined:
      return formatCount(value);
  }
}
