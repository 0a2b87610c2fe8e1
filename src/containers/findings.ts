// The findings that service changes become. Rule ids and severities are decided here and nowhere else.
import type { Finding, Severity } from '../model/finding.ts';
import type { RuleId } from '../model/rules.ts';
import { plain } from '../model/text.ts';
import { standingOf } from './table.ts';
import type { Standing, Trouble, TroubleKind, Turn } from './types.ts';

export const RULE_OF: Record<TroubleKind, RuleId> = {
  stopped: 'container-stopped',
  unhealthy: 'container-unhealthy',
  malfunction: 'container-malfunction',
  loop: 'restart-loop',
  missing: 'service-missing',
};

export type Whom = { name: string; service?: string };
export type Said = {
  text: string;
  at: number;
  html?: string;
  severity?: Severity;
  cause?: string;
  details?: string[];
  value?: number;
  limit?: number;
  how?: Trouble['how'];
};

/** Whom a finding is about. */
export function about(name: string, service?: string): { subject: string; alias?: string } {
  return { subject: name, ...(service !== undefined ? { alias: service } : {}) };
}

/** Opens (or updates) a trouble of a service and returns its finding. */
export function opens(turn: Turn, key: string, kind: TroubleKind, whom: Whom, said: Said): Finding {
  const finding: Finding = {
    rule: RULE_OF[kind],
    ...about(whom.name, whom.service),
    severity: said.severity ?? 'warning',
    verdict: 'breach',
    text: plain(said.text, 400),
    ...(said.value !== undefined ? { value: said.value, unit: 'count' as const } : {}),
    ...(said.limit !== undefined ? { limit: said.limit } : {}),
    ...(said.details && said.details.length > 0 ? { details: said.details } : {}),
    ...(said.cause !== undefined ? { cause: said.cause } : {}),
    ...(said.html !== undefined ? { html: { opened: said.html } } : {}),
    at: said.at,
  };
  standingOf(turn.state, key)[kind] = { since: said.at, finding, ...(said.how ? { how: said.how } : {}) };
  turn.out.touched.add(key);
  return finding;
}

/** Ends a trouble; undefined where there was none. */
export function ends(
  turn: Turn,
  key: string,
  kind: TroubleKind,
  said: { text: string; at: number; html?: string },
): Finding | undefined {
  const standing: Standing | undefined = turn.state.standing.get(key);
  const trouble = standing?.[kind];
  if (!standing || !trouble) return undefined;
  delete standing[kind];
  if (Object.keys(standing).length === 0) turn.state.standing.delete(key);
  turn.out.touched.add(key);
  const { rule, subject, alias, severity, cause } = trouble.finding;
  return {
    rule,
    subject,
    ...(alias !== undefined ? { alias } : {}),
    severity,
    verdict: 'ok',
    text: plain(said.text, 400),
    ...(cause !== undefined ? { cause } : {}),
    ...(said.html !== undefined ? { html: { resolved: said.html } } : {}),
    at: said.at,
  };
}

/** Ends a trouble without a word: something else that is told says it all. */
export function endsQuietly(
  turn: Turn,
  key: string,
  kind: TroubleKind,
  text: string,
  at: number,
  end: 'now' | 'undone' = 'now',
): void {
  const finding = ends(turn, key, kind, { text, at });
  if (finding) turn.out.findings.push({ ...finding, quiet: true, end });
}

/** Something that happened and has no end. */
export function happened(rule: RuleId, whom: Whom, said: Said): Finding {
  return {
    rule,
    ...about(whom.name, whom.service),
    severity: said.severity ?? 'info',
    verdict: 'event',
    text: plain(said.text, 400),
    ...(said.details && said.details.length > 0 ? { details: said.details } : {}),
    ...(said.cause !== undefined ? { cause: said.cause } : {}),
    ...(said.html !== undefined ? { html: { opened: said.html } } : {}),
    at: said.at,
  };
}
