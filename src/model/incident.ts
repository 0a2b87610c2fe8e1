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
  /** First `ok` in a row, while firing. */
  okSince?: number;
  lastSeenAt: number;
  value?: number;
  worst?: number;
  limit?: number;
  unit?: Finding['unit'];
  text: string;
  details: string[];
  cause?: string;
  html?: Finding['html'];
  /** Telegram messages said about it so far. */
  said: { count: number; lastAt?: number; severity?: Severity };
  /** Epoch ms of the last starts and ends of the same rule and subject, for flapping. */
  flips: number[];
  flapping: boolean;
  /** What recovery did about it, plain lines. */
  actions: string[];
  /** Black box: saved by a later issue. */
  blackBox?: unknown;
};

export type IncidentChange = {
  incident: Incident;
  kind: 'opened' | 'fired' | 'worse' | 'resolved' | 'still' | 'event';
};
