import type { FlapPolicy, RuleInfo } from './sources/source.ts';
import { SOURCES, SOURCE_IDS, type RulesOf, type Source } from './sources.ts';
import { formatCount } from './text.ts';

export const FLAPS: FlapPolicy = { changes: 5 };
/** Two stops within the window: the second message announces that further ones follow only when it stays down. */
const CONTAINER_FLAPS: FlapPolicy = { changes: 2, atStart: true, staysMs: 60_000 };
/** A series of restarts is over when there was none for so long. */
export const SERIES_QUIET_MS = 600_000;

/** The rules that judge no single source. */
const OTHER_RULES = {
  'left-off': {
    warning: 'recovery switched something off, or changed it, and it is not as it was yet',
    ends: 'it is, or a person accepted it',
    row: 'recovery',
  },
  'source-failed': {
    warning: 'a source could not be read 3 times in a row',
    ends: 'it can be read',
    many: '# sources cannot be read',
  },
  'container-stopped': {
    warning: 'stopped on request, or ended without an error',
    critical: 'crashed or killed',
    ends: 'it runs again',
    settings: '`mute` in `vpsmon.yaml`',
    judged: 'between',
    many: '# containers are stopped',
    whileOn: 'down',
    ofSeries: 'ended',
    flap: CONTAINER_FLAPS,
    mute: 'stopped',
  },
  'container-unhealthy': {
    warning: 'its healthcheck fails',
    ends: 'healthy again',
    settings: '`mute`',
    judged: 'between',
    many: '# containers are unhealthy',
    whileOn: 'unhealthy',
    flap: CONTAINER_FLAPS,
    mute: 'unhealthy',
  },
  'container-malfunction': {
    warning: 'more than 3 restarts, and another one',
    ends: '10 quiet minutes',
    settings: '`MALFUNCTION_RESTARTS`, `mute`',
    judged: 'between',
    many: '# containers restart again and again',
    ofSeries: 'goes-on',
    quietMs: SERIES_QUIET_MS,
    mute: 'malfunction',
  },
  'restart-loop': {
    critical: 'more than 5 restarts in 5 minutes',
    ends: '10 quiet minutes',
    settings: '`RESTART_LOOP_COUNT`, `RESTART_LOOP_MINUTES`, `mute` (malfunction)',
    judged: 'between',
    many: '# containers are in a restart loop',
    ofSeries: 'goes-on',
    quietMs: SERIES_QUIET_MS,
    inhibits: ['container-malfunction'],
    mute: 'malfunction',
  },
  'container-restarting': {
    warning: 'it crashed, and its restart policy brought it back',
    ends: 'happened once',
    settings: '`mute`',
    judged: 'between',
    many: '# containers restart',
    cooldown: true,
  },
  'container-started': {
    about: 'only information',
    ends: 'happened once',
    settings: '`mute`',
    judged: 'between',
  },
  'container-restarted': {
    about: 'only information',
    ends: 'happened once',
    settings: '`mute` (restarting)',
    judged: 'between',
  },
  'container-redeployed': {
    about: 'only information',
    ends: 'happened once',
    settings: '`mute`',
    judged: 'between',
  },
  'container-renamed': {
    about: 'only information',
    ends: 'happened once',
    settings: '`mute`',
    judged: 'between',
  },
  'service-missing': {
    warning: 'a name in `MONITORED_SERVICES` has no container',
    ends: 'it has one',
    settings: '`MONITORED_SERVICES`',
    judged: 'between',
    many: '# monitored services are missing',
  },
  'docker-gone': { critical: 'Docker does not answer', ends: 'it answers', judged: 'between' },
  'unclean-reboot': {
    critical: 'the server went down without shutting down',
    ends: 'happened once',
    judged: 'between',
  },
  'watcher-telegram': {
    warning: 'Telegram refuses the messages',
    ends: 'it takes them again',
  },
  'watcher-state': { warning: 'the state folder cannot be written', ends: 'it can again' },
  'watcher-settings': {
    warning: 'the settings that a reload read have mistakes',
    ends: 'a reload reads good ones',
  },
  'watcher-overrun': {
    warning: 'a check took longer than the time between two',
    ends: 'checks end in time',
    settings: '`SERVICE_CHECK_INTERVAL`',
  },
  'watcher-replaced': {
    warning: 'the monitor crashed or hung, and systemd started it again',
    ends: 'happened once',
    judged: 'between',
  },
} as const satisfies Record<string, RuleInfo>;

export type RuleId = { [S in Source]: RulesOf<S> }[Source] | keyof typeof OTHER_RULES;

/** The catalogue: those of the sources (src/model/sources) and the others. */
export const RULES = Object.assign(
  {},
  ...Object.values(SOURCES).map(({ rules }) => rules),
  OTHER_RULES,
) as Readonly<Record<RuleId, RuleInfo>>;

const IDS = Object.keys(RULES) as RuleId[];

/** The rule of this name; undefined for one that only an earlier version had, as it may stand in an old database. */
export function ruleInfo(id: string): RuleInfo | undefined {
  return Object.hasOwn(RULES, id) ? RULES[id as RuleId] : undefined;
}

/** The source whose values a rule judges; undefined for one that judges no single source. */
export function sourceOfRule(id: string): Source | undefined {
  return SOURCE_IDS.find((source) => Object.hasOwn(SOURCES[source].rules, id));
}

/** Rules of which a check sees every subject, so that a subject without a finding is gone. */
export const JUDGED_BY_CHECK: readonly RuleId[] = IDS.filter((id) => RULES[id].judged === undefined);

/** What several incidents of one rule are called together. */
export function nameOfMany(id: string, count: number): string {
  return (ruleInfo(id)?.many ?? `# incidents of ${id}`).replace('#', formatCount(count));
}
