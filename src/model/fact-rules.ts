// What each fact about a container means: the rule it belongs to, how bad it is, and what its message states.
import type { Change, Claim } from './change.ts';
import type {
  Condition,
  ContainerFact,
  Death,
  FactKind,
  FactOf,
  Holding,
  Named,
  OpenCondition,
} from './container-fact.ts';
import type { Finding, Severity, Verdict } from './finding.ts';
import type { Incident } from './incident.ts';
import type { RuleId } from './rules.ts';

type Of<K extends FactKind, T> = T | ((fact: FactOf<K>) => T);

type FactRule<K extends FactKind> = {
  /** One incident of each, where there are several. */
  rule: Of<K, RuleId | readonly RuleId[]>;
  verdict: Of<K, Verdict>;
  severity?: Of<K, Severity>;
  /** The kind of change: what it is grouped with, and how vpsmon.yaml mutes it. */
  change?: Of<K, Change>;
  claim?: Of<K, Claim>;
  /** Incidents of these rules end with it, without messages of their own: its message is worth more. */
  ends?: Of<K, readonly RuleId[]>;
  /** Incidents of these rules go on, where they are open. */
  keeps?: readonly RuleId[];
  /** What comes and goes is not stable yet: it went down in between, for a moment that is no condition of its own. */
  stirs?: Of<K, readonly RuleId[]>;
  /** It is recorded, and needs no message. */
  quiet?: true;
  end?: Of<K, NonNullable<Finding['end']>>;
  /** The name under which its subject is open: the incident goes on under the one of the fact. */
  was?: (fact: FactOf<K>) => string | undefined;
  cause?: (fact: FactOf<K>) => string | undefined;
  measure?: (fact: FactOf<K>) => { value: number; limit: number };
};

const STOPPED: readonly RuleId[] = ['container-stopped'];
const SERIES: readonly RuleId[] = ['restart-loop', 'container-malfunction'];
const CONDITIONS: readonly RuleId[] = ['container-stopped', 'container-unhealthy', ...SERIES];
const RULE_OF: Record<OpenCondition['condition'], RuleId> = {
  stopped: 'container-stopped',
  unhealthy: 'container-unhealthy',
  missing: 'service-missing',
  malfunction: 'container-malfunction',
  'restart-loop': 'restart-loop',
};
/** Docker has given up: what was sent about the kill that ended it promised a restart. */
const GAVE_UP = ['retries-used', 'gave-up', 'signalled'];

const FACTS: { [K in FactKind]: FactRule<K> } = {
  stopped: {
    rule: 'container-stopped',
    verdict: ({ over }) => (over ? 'event' : 'breach'),
    severity: severityOfStop,
    change: (fact) => (isAsked(fact) ? 'asked-stop' : 'stopped'),
    claim: 'down',
    stirs: ({ over }) => (over === 'job' ? STOPPED : []),
    ends: ({ over, next }) => (over === 'removed' ? CONDITIONS : next?.kind === 'keeps-trying' ? [] : SERIES),
    cause: ({ death, next }) => (next && GAVE_UP.includes(next.kind) ? undefined : causeOf(death)),
  },
  paused: {
    rule: 'container-stopped',
    verdict: 'breach',
    severity: 'warning',
    change: 'asked-stop',
    claim: 'paused',
  },
  running: { rule: 'container-stopped', verdict: 'ok', change: 'restored', claim: 'up', keeps: SERIES },
  unhealthy: {
    rule: 'container-unhealthy',
    verdict: 'breach',
    severity: 'warning',
    change: 'unhealthy',
    claim: 'unhealthy',
  },
  healthy: { rule: 'container-unhealthy', verdict: 'ok', change: 'restored', claim: 'healthy' },
  restarting: {
    rule: 'container-restarting',
    verdict: 'event',
    severity: 'warning',
    change: 'restarting',
    claim: ({ awayMs }) => (awayMs === undefined ? 'down' : 'up'),
    cause: ({ death }) => causeOf(death),
    keeps: SERIES,
    stirs: STOPPED,
  },
  malfunction: {
    rule: 'container-malfunction',
    verdict: 'breach',
    severity: 'warning',
    change: 'malfunction',
    // How often it stopped is part of the series from here on.
    ends: STOPPED,
    claim: ({ seen }) => (seen.state === 'running' ? 'up' : 'down'),
    measure: ({ seen, limit }) => ({ value: seen.restartCount, limit }),
  },
  'restart-loop': {
    rule: 'restart-loop',
    verdict: 'breach',
    severity: 'critical',
    change: 'malfunction',
    ends: STOPPED,
    claim: ({ seen }) => (seen.state === 'running' ? 'up' : 'down'),
    keeps: ['container-malfunction'],
    measure: ({ count, limit }) => ({ value: count, limit }),
  },
  started: { rule: 'container-started', verdict: 'event', change: 'started', claim: 'up', stirs: STOPPED },
  'was-down': { rule: STOPPED, verdict: 'unknown', keeps: SERIES },
  redeployed: {
    rule: 'container-redeployed',
    verdict: 'event',
    change: 'redeployed',
    claim: claimOfOutcome,
    keeps: SERIES,
    stirs: STOPPED,
    // Its message names the one whose place it took.
    was: ({ inPlaceOf }) => inPlaceOf,
  },
  restarted: {
    rule: 'container-restarted',
    verdict: 'event',
    change: 'restarted',
    claim: claimOfOutcome,
    keeps: SERIES,
    stirs: STOPPED,
    was: ({ inPlaceOf }) => inPlaceOf,
  },
  renamed: {
    rule: 'container-renamed',
    verdict: 'event',
    change: 'renamed',
    claim: 'there',
    was: ({ was }) => was,
  },
  called: { rule: CONDITIONS, verdict: 'unknown', was: ({ was }) => was },
  removed: { rule: CONDITIONS, verdict: 'ok', change: 'removed', claim: 'gone', end: 'gone' },
  missing: {
    rule: 'service-missing',
    verdict: 'breach',
    severity: 'warning',
    claim: ({ created }) => (created ? 'down' : 'gone'),
  },
  over: {
    rule: ({ condition }) => RULE_OF[condition],
    verdict: 'ok',
    quiet: true,
    // It stopped while it was paused: it did not go down a second time.
    end: ({ condition, because }) => (condition === 'stopped' && because === 'died' ? 'undone' : 'now'),
  },
  gone: {
    rule: CONDITIONS,
    verdict: 'ok',
    quiet: true,
    end: ({ because }) => (because === 'replaced' ? 'now' : 'gone'),
  },
  'docker-gone': {
    rule: 'docker-gone',
    verdict: 'breach',
    severity: 'critical',
    claim: 'no-docker',
    cause: () => 'docker-gone',
  },
  'docker-back': { rule: 'docker-gone', verdict: 'ok' },
  'docker-answers': { rule: 'docker-gone', verdict: 'ok' },
  unreadable: { rule: 'container-stopped', verdict: 'event', severity: 'critical' },
};

/** The row of the table, as a function of any fact: TypeScript cannot see that kind and row fit. */
function ruleOf(fact: ContainerFact): FactRule<FactKind> {
  return FACTS[fact.kind] as FactRule<FactKind>;
}

function valueOf<T>(of: T | ((fact: never) => T) | undefined, fact: ContainerFact): T | undefined {
  return typeof of === 'function' ? (of as (fact: ContainerFact) => T)(fact) : of;
}

/**
 * A fact as the incidents take it. `describe`: its plain sentence, and lines below it. `mayName`: whether a container may be named in a
 * message about another subject.
 */
export function findingsOf(
  found: ContainerFact,
  describe: (fact: ContainerFact) => { text: string; details?: string[] },
  mayName: (about: Named) => boolean = () => true,
): Finding[] {
  const fact = namingOnly(found, mayName);
  const row = ruleOf(fact);
  const about = {
    subject: fact.name,
    ...(fact.service === undefined ? {} : { alias: fact.service }),
    ...describe(fact),
    at: fact.at,
  };
  const end = valueOf(row.end, fact);
  const cause = row.cause?.(fact as never);
  const was = row.was?.(fact as never);
  const quiet = row.quiet === true || fact.reported === true;
  const main = [valueOf(row.rule, fact)!].flat().map((rule): Finding => {
    const finding: Finding = {
      ...about,
      rule,
      severity: valueOf(row.severity, fact) ?? 'info',
      verdict: valueOf(row.verdict, fact)!,
      fact,
    };
    if (end !== undefined) finding.end = end;
    if (cause !== undefined) finding.cause = cause;
    if (quiet) finding.quiet = true;
    if (was !== undefined) finding.was = was;
    return row.measure ? Object.assign(finding, row.measure(fact as never), { unit: 'count' }) : finding;
  });
  const beside = (
    rules: readonly RuleId[] = [],
    more: Pick<Finding, 'verdict' | 'quiet' | 'end'>,
  ): Finding[] => rules.map((rule) => ({ ...about, rule, severity: 'info', ...more }));
  return [
    ...beside(valueOf(row.ends, fact), { verdict: 'ok', quiet: true, end: 'now' }),
    ...main,
    ...beside(row.keeps, { verdict: 'between' }),
    ...beside(valueOf(row.stirs, fact), { verdict: 'unknown' }),
  ];
}

function namingOnly(fact: ContainerFact, mayName: (about: Named) => boolean): ContainerFact {
  if (fact.kind === 'docker-gone') return { ...fact, names: fact.names.filter(mayName) };
  if (fact.kind === 'docker-back') return { ...fact, absent: fact.absent.filter(mayName) };
  return fact;
}

/** Asked for, and done as it was asked. */
export function isAsked({ death, failed }: Pick<FactOf<'stopped'>, 'death' | 'failed'>): boolean {
  return death.cause === 'request' && !failed;
}

/** An end as a stop makes it, by podman, which does not say whether it was asked to. */
export function mayBeAsked({ podman, cause, exitCode }: Death): boolean {
  return podman === true && cause === 'crash' && [0, 130, 137, 143].includes(exitCode);
}

function severityOfStop(fact: FactOf<'stopped'>): Severity {
  const { death, over, expected } = fact;
  if (over === 'job') return 'info';
  if (expected !== undefined) return expected ? 'critical' : 'warning';
  const clean = death.exitCode === 0 && (death.cause === 'crash' || death.cause === 'unseen');
  return isAsked(fact) || clean || (mayBeAsked(death) && death.exitCode !== 137) ? 'warning' : 'critical';
}

function claimOfOutcome({ outcome }: Pick<FactOf<'redeployed'>, 'outcome'>): Claim {
  return outcome.kind === 'healthy' ? 'healthy' : 'up';
}

function causeOf(death: Death): string | undefined {
  return death.cause === 'oom' ? `oom:${death.id}` : undefined;
}

/** The condition of a container that incidents of a rule are about; undefined for all others. */
export function conditionOfRule(rule: string): OpenCondition['condition'] | undefined {
  return (Object.keys(RULE_OF) as OpenCondition['condition'][]).find(
    (condition) => RULE_OF[condition] === rule,
  );
}

/** The condition of a container that begins with a fact; undefined: none does. */
export function conditionBegunBy(fact: ContainerFact): Condition | undefined {
  const { rule, verdict } = ruleOf(fact);
  const id = valueOf(rule, fact);
  if (typeof id !== 'string' || valueOf(verdict, fact) !== 'breach') return undefined;
  const condition = conditionOfRule(id);
  return condition === 'malfunction' || condition === 'restart-loop' ? undefined : condition;
}

/** How a container is down, or missing. */
export function howOf(fact: ContainerFact | undefined): Holding['how'] {
  if (fact?.kind === 'paused') return 'paused';
  if (fact?.kind === 'missing' && fact.created) return 'created';
  return fact?.kind === 'stopped' && fact.next?.kind === 'keeps-trying' ? 'policy' : undefined;
}

/** How a container stopped, of the fact that says so. */
export function stoppedOf(fact: ContainerFact | undefined): FactOf<'stopped'> | undefined {
  return fact?.kind === 'stopped' ? fact : undefined;
}

/** The part of an incident that shows what was observed about its container. */
type Observed = Pick<Incident, 'rule' | 'state' | 'event' | 'fact' | 'endFact'>;

/** The fact that holds of an incident now; undefined where only time ended it, or an earlier version saved it. */
export function factOf(incident: Observed): ContainerFact | undefined {
  if (isGoneJob(incident)) return incident.fact;
  return incident.endFact ?? (endedByTime(incident) ? undefined : incident.fact);
}

/** A job that ended and removed itself: how it ended is all there is about it. */
export function isGoneJob({ fact, endFact }: Pick<Incident, 'fact' | 'endFact'>): boolean {
  return endFact?.kind === 'gone' && fact?.kind === 'stopped' && fact.job === true;
}

/** It was quiet for so long that it ended, without a fact. */
export function endedByTime({ state, event, endFact }: Observed): boolean {
  return state === 'resolved' && !event && !endFact;
}

/** The kind of change that a message about it would be; undefined for what is sent by itself. */
export function changeOf(incident: Observed): Change | undefined {
  const fact = factOf(incident);
  if (fact) return valueOf(ruleOf(fact).change, fact);
  return incident.fact && 'restored';
}

/** What of an incident that an earlier version saved is known without a fact. */
const CLAIM_OF_RULE: Record<string, Claim> = {
  'container-stopped': 'down',
  'container-unhealthy': 'unhealthy',
};

/** What a message about it would state about the container. */
export function claimOf(incident: Observed): Claim | undefined {
  const fact = factOf(incident);
  if (fact) return valueOf(ruleOf(fact).claim, fact);
  if (incident.state !== 'resolved') return CLAIM_OF_RULE[incident.rule];
  return incident.fact && 'up';
}
