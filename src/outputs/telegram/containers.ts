// The messages about containers, as Telegram HTML, from facts. Fields, order and symbols are the ones people know from the first
// service monitor; what vpsmon knows beyond that (cause, how long, log lines) follows below the time.
import { isAsked } from '../../model/fact-rules.ts';
import type {
  Because,
  ContainerFact,
  Death,
  FactKind,
  FactOf,
  Named,
  Next,
  Observed,
} from '../../model/container-fact.ts';
import { SERIES_QUIET_MS } from '../../model/rules.ts';
import { formatBytes, formatDuration, formatTime, plain, safeHtml } from '../../model/text.ts';
import { because, causeText, whyNotStarted } from './death.ts';
import { bold, healthText, message, statusText, type Field } from './fields.ts';

/** Its health at its last start says nothing about now when that is longer ago. */
const SAYS_HEALTH_MS = 10_000;

type Text<K extends FactKind> = {
  /** One plain sentence, not escaped. */
  sentence(fact: FactOf<K>): string;
  /** Plain lines below the sentence. */
  details?(fact: FactOf<K>): string[];
  /** A message of its own form, HTML; `sentAt` (epoch ms): a silence may have held it back. */
  message?(fact: FactOf<K>, sentAt: number): string;
  /** Its line in a list of the same change, HTML. */
  line?(fact: FactOf<K>): string;
  /** Its end where no fact brings it: nothing was seen for `quietMs`. */
  end?: {
    sentence(fact: FactOf<K>, quietMs: number): string;
    message(fact: FactOf<K>, quietMs: number, at: number): string;
    line(fact: FactOf<K>, quietMs: number): string;
  };
};

/** The end of a series of restarts, when it was quiet for `quietMs`. */
const QUIET: NonNullable<Text<'malfunction' | 'restart-loop'>['end']> = {
  sentence: ({ name }, quietMs) => `${name} has not restarted for ${formatDuration(quietMs)}`,
  message: ({ name, seen }, quietMs, at) =>
    message('✅', 'Service Restored', [
      ['Service', name],
      ['Previous Status', '🟡 Restarting'],
      ['Current Status', '🟢 Running'],
      ['Restart Count', String(seen.restartCount)],
      ['Time', formatTime(at)],
      ['Stable for', formatDuration(quietMs)],
    ]),
  line: ({ name }, quietMs) => `${bold(name)}: stable for ${formatDuration(quietMs)}`,
};

const TEXTS: { [K in FactKind]: Text<K> } = {
  stopped: {
    sentence({ name, death, next, deploy }) {
      if (death.cause === 'unstarted') return `${name} did not start: ${whyNotStarted(death)}`;
      if (death.cause === 'engine' && next?.kind === 'not-back')
        return `${name} did not come back with Docker`;
      return `${name} stopped: ${causeText(death, deploy)}`;
    },
    details: ({ next }) => (next ? [nextText(next)] : []),
    message: stoppedMessage,
    line: ({ name, death }) => `${bold(name)}: ${safeHtml(because(death))}`,
  },
  paused: {
    sentence: ({ name }) => `${name} is paused (docker pause)`,
    message: ({ name, restartCount, at }) =>
      message('🔴', 'Service Stopped (paused on request)', [
        ['Service', name],
        ['Previous Status', '🟢 Running'],
        ['Current Status', '🔴 Paused'],
        ['Restart Count', String(restartCount)],
        ['Time', formatTime(at)],
        ['Cause', 'docker pause: its processes are frozen until docker unpause'],
      ]),
    line: ({ name }) => `${bold(name)}: paused`,
  },
  running: {
    sentence: ({ name, forMs }) => `${name} runs again after ${formatDuration(forMs)}`,
    message: (fact) => restoredMessage(fact, fact.from === 'paused' ? '🔴 Paused' : '🔴 Stopped', 'Down for'),
    line: ({ name, forMs }) => `${bold(name)}: down for ${formatDuration(forMs)}`,
  },
  unhealthy: {
    sentence: ({ name }) => `The health check of ${name} fails`,
    message: ({ name, seen, at, after, logs, logDriver, ...check }) =>
      message(
        '🏥',
        'Service Unhealthy',
        [
          ['Service', name],
          ['Status', statusText(seen.state)],
          ['Health', '🏥 Unhealthy'],
          ['Container ID', shortId(seen.id)],
          ['Time', formatTime(at)],
          checkField(check),
          after ? ['Note', after === 'redeployed' ? 'just deployed' : 'just restarted'] : undefined,
        ],
        logBlock(logs, logDriver),
      ),
    line({ name, ...check }) {
      const field = checkField(check);
      return `${bold(name)}${field ? `: ${safeHtml(field[1], 100)}` : ''}`;
    },
  },
  healthy: {
    sentence: ({ name, forMs }) => `${name} is healthy again after ${formatDuration(forMs)}`,
    message: (fact) => restoredMessage(fact, '🏥 Unhealthy', 'Unhealthy for'),
    line: ({ name, forMs }) => `${bold(name)}: unhealthy for ${formatDuration(forMs)}`,
  },
  restarting: {
    sentence: ({ name, death, awayMs }) => `${name} ${because(death)}, ${restartText(awayMs)}`,
    message: restartingMessage,
    line: ({ name, death, awayMs }) => `${bold(name)}: ${safeHtml(because(death))}, ${restartText(awayMs)}`,
  },
  malfunction: {
    sentence: ({ name, seen, death }) =>
      `${name} has restarted ${seen.restartCount} times: ${because(death)}`,
    message: ({ name, seen, death, at }, sentAt) =>
      malfunctionMessage({ name, seen, death, at, sentAt, restarts: seen.restartCount }),
    line: ({ name, seen }) => `${bold(name)}: ${seen.restartCount} restarts`,
    end: QUIET,
  },
  'restart-loop': {
    sentence: ({ name, death, ...fact }) => `${name} restarted ${loopText(fact)}: ${because(death)}`,
    message: ({ name, seen, death, at, ...loop }, sentAt) =>
      malfunctionMessage({
        name,
        seen,
        death,
        at,
        sentAt,
        restarts: Math.max(seen.restartCount, loop.count),
        loop,
      }),
    line: ({ name, count }) => `${bold(name)}: restart loop, ${count} restarts`,
    end: QUIET,
  },
  started: {
    sentence: ({ name }) => `${name} started`,
    message: ({ name, id, at }) =>
      message('🚀', 'Service Started', [
        ['Service', name],
        ['Status', '🟢 Running'],
        ['Container ID', shortId(id)],
        ['Time', formatTime(at)],
      ]),
    line: ({ name }) => bold(name),
  },
  redeployed: {
    sentence: (fact) => `${fact.name} ${successorText(fact)}`,
    message: (fact) => `🚀 ${bold(fact.name)} ${safeHtml(successorText(fact), 400)}`,
    line: (fact) => `${bold(fact.name)} ${safeHtml(successorText(fact), 400)}`,
  },
  restarted: {
    sentence: (fact) => `${fact.name} ${successorText(fact)}`,
    message: (fact) => `🔄 ${bold(fact.name)} ${safeHtml(successorText(fact), 400)}`,
    line: (fact) => `${bold(fact.name)} ${safeHtml(successorText(fact), 400)}`,
  },
  renamed: {
    sentence: ({ name, was }) => `${was} is now called ${name}`,
    message: ({ name, was }) => `🔄 ${bold(was)} is now called ${bold(name)}`,
    line: ({ name, was }) => `${bold(was)} is now called ${bold(name)}`,
  },
  'was-down': { sentence: ({ name }) => `${name} was down meanwhile` },
  called: { sentence: ({ name, was }) => `${was} is called ${name} now` },
  removed: {
    sentence: ({ name }) => `${name} was removed`,
    message: ({ name }) => `🔴 ${bold(name)} was removed on request: nothing is left to watch.`,
    line: ({ name }) => bold(name),
  },
  missing: {
    sentence: ({ name, created }) =>
      `${name} is in MONITORED_SERVICES, but ${created ? 'its container was created and never started' : 'there is no container of this name'}`,
    message: ({ name, at, created }) =>
      message('⚠️', 'Service Missing', [
        ['Service', name],
        ['Status', created ? '🔴 Created, never started' : '🔴 No container of this name'],
        ['Time', formatTime(at)],
        [
          'Note',
          `It is in MONITORED_SERVICES. ${created ? `docker start ${name}` : 'Is it spelled right, was it deployed?'}`,
        ],
      ]),
  },
  over: { sentence: ({ name, because: why }) => `${name} ${OVER[why]}` },
  gone: { sentence: ({ name, because: why }) => `${name} ${OVER[why]}` },
  'docker-gone': {
    sentence: (fact) => `Docker is gone: ${plain(fact.why) || 'no answer'}${fateText(fact, '. ')}`,
    details: ({ names }) =>
      names.length > 0 ? [`Services: ${names.slice(0, 40).map(nameOf).join(', ')}`] : [],
    message: (fact) =>
      [
        '🔴 <b>Docker Is Gone</b>',
        '',
        `Error: ${safeHtml(fact.why || 'no answer')}`,
        ...(fact.ran > 0 ? [fateText(fact, 'Services: ')] : []),
        ...(fact.names.length > 0 ? [listNames(fact.names, 40)] : []),
        `Time: ${formatTime(fact.at)}`,
        'Until it is back, no container can be watched or restarted.',
      ].join('\n'),
  },
  'docker-back': {
    sentence({ awayMs, before, running, absent }) {
      const all = before > 0 ? `: ${running} of ${before} services run` : '';
      const gone = absent.length > 0 ? `; not back: ${absent.slice(0, 20).map(nameOf).join(', ')}` : '';
      return `Docker is back after ${formatDuration(awayMs)}${all}${gone}`;
    },
    message: ({ awayMs, before, running, kept, absent, at }) =>
      [
        '✅ <b>Docker Is Back</b>',
        '',
        `Away for: ${formatDuration(awayMs)}`,
        ...(before > 0 ? [`🟢 Running again: ${running} of ${before}`] : []),
        ...(kept > 0 ? [`Kept running meanwhile: ${kept}`] : []),
        ...(running < before ? [`🔴 Did not come back: ${before - running}`] : []),
        ...(absent.length > 0 ? [listNames(absent, absent.length)] : []),
        `Time: ${formatTime(at)}`,
      ].join('\n'),
  },
  'docker-answers': { sentence: () => 'Docker answers' },
  unreadable: {
    sentence: ({ name, what, why }) =>
      `${plain(name, 100)}: ${UNREADABLE[what]}. How it is in detail could not be put into words (${plain(why, 200)})`,
  },
};

const UNREADABLE: Record<FactOf<'unreadable'>['what'], string> = {
  died: 'it ended without being asked to',
  changed: 'its state changed',
  unhealthy: 'its health check fails',
};

/** `unknown` stands in databases that a version before 0.5.0 wrote. */
const OVER: Record<Because | 'unknown', string> = {
  died: 'stopped',
  replaced: 'was replaced',
  back: 'runs again',
  healthy: 'is healthy again',
  unchecked: 'has no health check any more',
  removed: 'was removed',
  'not-watched': 'is not watched any more',
  exists: 'exists again',
  unknown: 'is not watched any more',
};

/** The texts of its kind: TypeScript cannot see that fact and row fit. */
function textOf(fact: ContainerFact): Text<FactKind> {
  return TEXTS[fact.kind] as unknown as Text<FactKind>;
}

/** One plain sentence and the lines below it, for lists, reports and repeats. `ended`: how it ended, where only time ended it. */
export function describeFact(fact: ContainerFact, ended = false): { text: string; details?: string[] } {
  const { sentence, details } = textOf(fact);
  if (ended) return { text: factEnd(fact, SERIES_QUIET_MS, 0)?.text ?? `no longer: ${sentence(fact)}` };
  const lines = details?.(fact) ?? [];
  return { text: plain(sentence(fact), 400), ...(lines.length > 0 ? { details: lines } : {}) };
}

/** The message of its own form; undefined: its sentence is all there is. */
export function factMessage(fact: ContainerFact, sentAt = fact.at): string | undefined {
  return textOf(fact).message?.(fact, sentAt);
}

/** Its line in a list. */
export function factLine(fact: ContainerFact): string {
  return textOf(fact).line?.(fact) ?? safeHtml(fact.name, 120);
}

/** How it ended where no other fact did it; undefined for facts that do not end by time. */
export function factEnd(
  fact: ContainerFact,
  quietMs: number,
  at: number,
): { text: string; message: string; line: string } | undefined {
  const { end } = textOf(fact);
  return (
    end && {
      text: end.sentence(fact, quietMs),
      message: end.message(fact, quietMs, at),
      line: end.line(fact, quietMs),
    }
  );
}

function stoppedMessage(fact: FactOf<'stopped'>): string {
  const { name, death, restartCount, next } = fact;
  const never = death.cause === 'unstarted';
  return message(
    '🔴',
    never ? 'Service Did Not Start' : isAsked(fact) ? 'Service Stopped (on request)' : 'Service Stopped',
    [
      ['Service', name],
      ['Previous Status', never ? 'Created' : death.paused ? '🔴 Paused' : '🟢 Running'],
      ['Current Status', '🔴 Stopped'],
      ['Restart Count', String(restartCount)],
      ['Time', formatTime(death.at)],
      ['Cause', causeText(death, fact.deploy)],
      death.error === undefined ? undefined : ['Docker says', death.error],
      next ? ['Next', nextText(next)] : undefined,
    ],
    death.cause === 'request' ? [] : logBlock(death.logs, death.logDriver),
  );
}

const NEXT: { [K in Next['kind']]: (next: Extract<Next, { kind: K }>) => string } = {
  'no-restart': ({ policy }) =>
    policy === 'always' || policy === 'unless-stopped'
      ? `Docker will not restart it before Docker itself is restarted (restart policy: ${policy}, set since)`
      : `Docker will not restart it (restart policy: ${policy})`,
  'retries-used': ({ restarts }) =>
    `Docker gave up after ${restarts === 1 ? '1 restart' : `${restarts} restarts`}`,
  'gave-up': () => 'Docker could not start it again, and has given up',
  signalled: () => 'Docker does not restart it because it was sent a signal through Docker',
  'keeps-trying': ({ by }) => `${by} keeps trying to start it`,
  removed: () => 'The container was removed',
  'removed-itself': () => 'The container is removed (--rm)',
  'successor-not-started': () => 'A new container was created in its place, but it did not start',
  'not-started-again': () => 'It was to be started again, and did not start',
  'not-tried-again': () => 'Docker does not try again by itself',
  'not-back': ({ policy }) => `It did not come back with Docker (restart policy: ${policy})`,
};

function nextText(next: Next): string {
  return (NEXT[next.kind] as (next: Next) => string)(next);
}

function restoredMessage(
  { name, seen, at, forMs }: FactOf<'running'> | FactOf<'healthy'>,
  status: string,
  how: string,
): string {
  return message('✅', 'Service Restored', [
    ['Service', name],
    ['Previous Status', status],
    ['Current Status', statusText(seen.state)],
    ['Restart Count', String(seen.restartCount)],
    ['Time', formatTime(at)],
    [how, formatDuration(forMs)],
  ]);
}

function restartText(awayMs: number | undefined): string {
  return awayMs === undefined
    ? 'down again, Docker goes on trying'
    : `running again after ${formatDuration(awayMs)}`;
}

function restartingMessage({
  name,
  death,
  restartCount,
  awayMs,
  restarts24h,
  deploy,
}: FactOf<'restarting'>): string {
  return message(
    '🔄',
    'Service Restarting',
    [
      ['Service', name],
      ['Previous Status', '🟢 Running'],
      ['Current Status', '🟡 Restarting'],
      ['Restart Count', String(restartCount)],
      ['Time', formatTime(death.at)],
      ['Cause', causeText(death, deploy)],
      [
        'Now',
        awayMs === undefined
          ? '🟡 Down again, Docker goes on trying'
          : `🟢 Running again after ${formatDuration(awayMs)}`,
      ],
      restarts24h > 1 ? ['Restarts in 24 h', String(restarts24h)] : undefined,
    ],
    logBlock(death.logs, death.logDriver),
  );
}

/** Malfunction, and its worse form, the restart loop. */
function malfunctionMessage(fact: {
  name: string;
  seen: Observed;
  death: Death;
  at: number;
  sentAt: number;
  restarts: number;
  loop?: { count: number; windowMs: number };
}): string {
  const { name, seen, death, at, sentAt, restarts, loop } = fact;
  return message(
    '⚠️',
    loop ? 'Service Malfunction Detected: Restart Loop' : 'Service Malfunction Detected',
    [
      ['Service', name],
      ['Status', statusText(seen.state)],
      ['Restart Count', `${restarts} (High)`],
      sentAt - at < SAYS_HEALTH_MS ? ['Health', healthText(seen.health)] : undefined,
      ['Time', formatTime(at)],
      ['Last death', causeText(death)],
      loop ? ['Restarts', `${loop.count} within ${loop.windowMs / 60_000} min`] : undefined,
    ],
    [
      '',
      '⚠️ Service is restarting frequently - possible malfunction!',
      ...logBlock(death.logs, death.logDriver),
    ],
  );
}

function loopText({ count, windowMs }: { count: number; windowMs: number }): string {
  return `${count} times within ${windowMs / 60_000} min`;
}

/** "redeployed, healthy in 22 s, 180 -> 260 MB" */
function successorText(fact: FactOf<'redeployed'> | FactOf<'restarted'>): string {
  const { outcome, inPlaceOf, memory } = fact;
  const place = inPlaceOf === undefined ? '' : ` in place of ${plain(inPlaceOf, 80)}`;
  const how =
    fact.kind === 'redeployed'
      ? `redeployed${place}`
      : `restarted ${fact.withDocker ? 'with Docker' : 'on request'}`;
  return [how, outcomeText(outcome), ...(memory ? [memoryText(memory.before, memory.after)] : [])].join(', ');
}

function outcomeText(outcome: FactOf<'redeployed'>['outcome']): string {
  switch (outcome.kind) {
    case 'healthy':
      return outcome.afterMs === undefined ? 'healthy' : `healthy in ${formatDuration(outcome.afterMs)}`;
    case 'not-healthy-yet':
      return `running, but not healthy yet after ${formatDuration(outcome.afterMs)}`;
    case 'unhealthy':
      return 'running, but unhealthy';
    case 'running':
      return outcome.afterMs === undefined
        ? 'running'
        : `running again after ${formatDuration(outcome.afterMs)}`;
  }
}

/** "180 -> 260 MB", "900 MB -> 1.1 GB" */
function memoryText(before: number, after: number): string {
  const [from, to] = [formatBytes(before), formatBytes(after)];
  const [number, unit] = from.split(' ');
  return `${to.endsWith(` ${unit}`) ? number : from} -> ${to}`;
}

function fateText({ ran, stopped }: FactOf<'docker-gone'>, before: string): string {
  if (ran === 0) return '';
  if (stopped > 0) return `${before}${stopped} of ${ran} services stopped with it`;
  return `${before}${ran === 1 ? '1 service' : `${ran} services`} ran when it went`;
}

function nameOf({ name, removed }: Named): string {
  return removed ? `${name} (removed)` : name;
}

function listNames(names: readonly Named[], most: number): string {
  const shown = names.slice(0, most).map((one) => safeHtml(nameOf(one), 80));
  const more = names.length - shown.length;
  return `<i>${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}</i>`;
}

function shortId(id: string): string {
  return id.slice(0, 12);
}

/** What the last run of a health check has said, or how it ended. */
function checkField({
  output,
  exitCode,
}: Pick<FactOf<'unhealthy'>, 'output' | 'exitCode'>): Field | undefined {
  const text = output || (exitCode === undefined ? '' : `exit code ${exitCode}`);
  return text === '' ? undefined : ['Health check says', text];
}

/** The last log lines of a container in a block; secrets were masked where they were read. Where there are none, why, if that is known. */
function logBlock(logs: readonly string[] = [], logDriver?: string): string[] {
  const lines = logs.map(logLine).filter((line) => line !== '');
  if (lines.length === 0 && logDriver !== undefined)
    lines.push(logLine(`(no log lines: the log driver "${logDriver}" keeps none that Docker could show)`));
  if (lines.length === 0) return [];
  return [`\nLast log lines:\n<pre>${lines.slice(-5).join('\n')}</pre>`];
}

/** Five of them and the fields always fit one message, even where every character is an escaped one. */
function logLine(line: string): string {
  const escaped = safeHtml(line, 240);
  return escaped.length <= 480 ? escaped : safeHtml(line, 80);
}
