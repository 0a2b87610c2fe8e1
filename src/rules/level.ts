import type { Severity, Verdict } from '../model/finding.ts';

export type Limits = {
  /** Whether high or low values are bad. */
  bad: 'above' | 'below';
  warning?: number | undefined;
  critical?: number | undefined;
  /** The value beyond which it is fine again; between it and the warning nothing changes. */
  clear: number;
  /** A value exactly on the limit is over it (">= 60"), not under it ("> 80 %"). */
  inclusive?: boolean;
};
export type Level = { verdict: Verdict; severity: Severity; limit: number };

/**
 * Where a value stands between two limits and a clear level. A clear level on the wrong side of the warning (somebody
 * moved one setting and not the other) is moved 10 % beyond it, so that a value dancing on the limit stays one incident.
 */
export function levelOf(value: number, limits: Limits): Level {
  const { warning, critical } = limits;
  const first = warning ?? critical;
  if (first === undefined || Number.isNaN(value)) {
    return { verdict: 'unknown', severity: 'warning', limit: first ?? 0 };
  }
  if (critical !== undefined && over(value, critical, limits)) {
    return { verdict: 'breach', severity: 'critical', limit: critical };
  }
  if (warning !== undefined && over(value, warning, limits)) {
    return { verdict: 'breach', severity: 'warning', limit: warning };
  }
  const severity: Severity = warning === undefined ? 'critical' : 'warning';
  return { verdict: cleared(value, first, limits) ? 'ok' : 'between', severity, limit: first };
}

function over(value: number, limit: number, { bad, inclusive }: Limits): boolean {
  if (inclusive && value === limit) return true;
  return bad === 'above' ? value > limit : value < limit;
}

function cleared(value: number, limit: number, { bad, clear }: Limits): boolean {
  if (bad === 'above') return value < (clear < limit ? clear : limit * 0.9);
  return value > (clear > limit ? clear : limit * 1.1);
}
