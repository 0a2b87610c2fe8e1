import type { Extra, Settings } from '../../src/config/schema.ts';
import type { Finding } from '../../src/model/finding.ts';
import type { RuleId } from '../../src/model/rules.ts';

/** One moment of a story. Several things may happen at it; they happen in the order of these fields. */
export type Step = {
  /** Seconds since the story began, by a clock that nobody sets. */
  at: number;
  /** Somebody sets the clock of the machine, by so many seconds. */
  setClock?: number;
  /** The monitor is stopped without warning and started again. */
  restart?: true;
  /** Another process silences or stops silencing. */
  silence?: { subject: string; seconds: number };
  endSilence?: string;
  /** From here on the disk is full, or has room again. */
  diskFull?: boolean;
  findings?: Finding[];
  judged?: string[];
};

export type Story = {
  /** What it shows, in one sentence. */
  name: string;
  settings?: Partial<Settings>;
  extra?: Partial<Extra>;
  steps: Step[];
  /** Everything that is said, in order: time, reason, rule and subject, then what else it tells. */
  said: string[];
  /** Every incident in the database at the end: rule and subject, state, severity, how it ended, worst value. */
  incidents?: string[];
};

const MB = 1_048_576;

/** Available memory as the rule judges it (100, 50, 130 MB). */
export function memory(mb: number): Finding {
  const limit = mb < 50 ? 50 : 100;
  return {
    rule: 'memory-available',
    subject: 'host',
    verdict: mb < 100 ? 'breach' : mb > 130 ? 'ok' : 'between',
    severity: mb < 50 ? 'critical' : 'warning',
    value: mb * MB,
    limit: limit * MB,
    unit: 'bytes',
    text: `Available memory is ${mb} MB`,
  };
}

/** Memory pressure as the rule judges it (60, 80, 50), held 30 s. */
export function pressure(score: number): Finding {
  return {
    rule: 'memory-pressure',
    subject: 'host',
    verdict: score >= 60 ? 'breach' : score < 50 ? 'ok' : 'between',
    severity: score >= 80 ? 'critical' : 'warning',
    value: score,
    limit: score >= 80 ? 80 : 60,
    unit: 'score',
    holdMs: 30_000,
    text: `Memory pressure is ${score}`,
  };
}

/** Something that has a name and is down, or up again; of a rule that flaps as most do. */
export function stopped(name: string, down: boolean, more: Partial<Finding> = {}): Finding {
  return {
    rule: 'waha-session',
    subject: name,
    verdict: down ? 'breach' : 'ok',
    severity: 'critical',
    text: `${name} ${down ? 'stopped' : 'is up'}`,
    ...more,
  };
}

/** Something that happens and has no end. */
export function event(rule: RuleId, subject: string, more: Partial<Finding> = {}): Finding {
  return { rule, subject, verdict: 'event', severity: 'critical', text: `${rule} ${subject}`, ...more };
}

/** A finding of any rule. */
export function finding(
  rule: RuleId,
  subject: string,
  verdict: Finding['verdict'],
  more: Partial<Finding> = {},
): Finding {
  return { rule, subject, verdict, severity: 'warning', text: `${rule} ${subject} ${verdict}`, ...more };
}

/** A step every `seconds` from `from` to `to`, both included. */
export function every(
  seconds: number,
  from: number,
  to: number,
  make: (at: number, index: number) => Omit<Step, 'at'>,
): Step[] {
  const steps: Step[] = [];
  for (let at = from, index = 0; at <= to; at += seconds, index++) steps.push({ at, ...make(at, index) });
  return steps;
}

export const MINUTE = 60;
export const HOUR = 3600;
export const DAY = 86_400;
