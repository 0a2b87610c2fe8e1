import type { Action } from './action.ts';
import { formatCount, formatDuration, formatTime, plain } from './text.ts';

export const LEFT_OFF_KINDS = ['workflow', 'container', 'limit'] as const;

/** Something that recovery switched off, or changed, and that is not as it was yet. */
export type LeftOff = {
  kind: (typeof LEFT_OFF_KINDS)[number];
  name: string;
  /** Epoch ms: when recovery did it. */
  since: number;
  /** n8n was asked and gave no answer, or the run was killed: it may be on. */
  unsure?: true;
  /** The workflow is started by calls from outside: they are answered 404 meanwhile, and what they bring is lost. */
  webhooks?: true;
  /** Why it is not back yet, where a try failed. */
  why?: string;
};

type PausedWorkflow = { name?: unknown; state?: unknown; webhooks?: unknown; waits?: { why?: unknown } };

/** What these actions (done, and not undone) have left off, oldest first. Pure; a record that cannot be understood counts by its target. */
export function leftOffBy(actions: readonly Action[]): LeftOff[] {
  return actions.flatMap(({ what, target, startedAt: since, state, undo }): LeftOff[] => {
    const unsure = state === 'worked' ? {} : { unsure: true as const };
    if (what === 'raise-limit') return [{ kind: 'limit', name: target, since, ...unsure }];
    if (what !== 'deactivate-workflows') return [{ kind: 'container', name: target, since, ...unsure }];
    const workflows = Array.isArray(undo?.['workflows']) ? (undo['workflows'] as PausedWorkflow[]) : [];
    return workflows
      .filter((one) => one?.state === 'paused' || one?.state === 'asked')
      .map(({ name, state: is, webhooks, waits }) => ({
        kind: 'workflow',
        name: String(name),
        since,
        ...(is === 'asked' ? { unsure: true as const } : {}),
        ...(webhooks === true ? { webhooks: true as const } : {}),
        ...(typeof waits?.why === 'string' && waits.why !== '' ? { why: waits.why } : {}),
      }));
  });
}

const NOUNS = { workflow: 'workflow', container: 'container', limit: 'memory limit' } as const;
const MOST_NAMES = 8;
const MOST_REASONS = 4;

/** One plain sentence about all of one kind: `3 workflows are off that were on, since 10:04 (for 42 min): a, b, c`. */
export function leftOffText(all: readonly LeftOff[], kind: LeftOff['kind'], now: number): string | undefined {
  const of = all.filter((one) => one.kind === kind);
  if (of.length === 0) return undefined;
  const since = Math.min(...of.map((one) => one.since));
  const [are, they] = of.length === 1 ? ['is', ''] : ['are', 's'];
  const done =
    kind === 'limit'
      ? `${are} higher than ${of.length === 1 ? 'it was' : 'they were'}`
      : `${are} off that ${of.length === 1 ? 'was' : 'were'} on`;
  const names = of.slice(0, MOST_NAMES).map((one) => plain(one.name, 60) + (one.unsure ? ' (perhaps)' : ''));
  const more = of.length > MOST_NAMES ? ` and ${of.length - MOST_NAMES} more` : '';
  const duration = now > since ? ` (for ${formatDuration(now - since)})` : '';
  return `${formatCount(of.length)} ${NOUNS[kind]}${they} ${done}, since ${formatTime(since)}${duration}: ${names.join(', ')}${more}`;
}

/** What is lost meanwhile, why it is not back, and what to do; plain sentences. */
export function leftOffDetails(all: readonly LeftOff[], kind: LeftOff['kind']): string[] {
  const of = all.filter((one) => one.kind === kind);
  const hooks = of.filter(({ webhooks }) => webhooks);
  const waiting = of.filter(({ why }) => why !== undefined);
  return [
    ...(hooks.length > 0
      ? [
          `Webhooks answer 404 meanwhile, and what is sent to them is lost: ${hooks
            .slice(0, MOST_NAMES)
            .map((one) => plain(one.name, 60))
            .join(', ')}${hooks.length > MOST_NAMES ? ` and ${hooks.length - MOST_NAMES} more` : ''}`,
        ]
      : []),
    ...waiting.slice(0, MOST_REASONS).map(({ name, why }) => `${plain(name, 60)}: ${plain(why ?? '', 200)}`),
    kind === 'limit'
      ? 'Write the new limit into your Compose file, or set the old one again: `vpsmon recover undo`'
      : 'Recovery brings back what it can by itself; `vpsmon recover undo` does so now, and `vpsmon recover accept` says that it is meant to stay so',
  ];
}
