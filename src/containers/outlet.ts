// What is said alone and what is said together. One crash is told at once; when thirty containers die in the same second,
// the first one is told at once and the others in one list. Starts, restarts and recoveries are in no hurry: they wait a
// moment for others of their kind.
import { escapeHtml, formatTime, safeHtml } from '../model/text.ts';
import type { Finding, Severity } from '../model/finding.ts';
import { CHANGE_OF_RULE } from '../model/service.ts';
import { tallyOf } from './table.ts';
import type { Bucket, Change, Item, Turn } from './types.ts';

/** Changes that are told at once, unless others of their kind come in quick succession. */
const URGENT = new Set<Change>(['stopped', 'unhealthy', 'malfunction']);
/** Changes that are one line each, so that a few of them fit one message. */
const ONE_LINERS = new Set<Change>(['restarted', 'redeployed', 'renamed']);

const BURST_MS = 1500;
const HOLD_URGENT_MS = 500;
const MAX_URGENT_MS = 8000;
const HOLD_CALM_MS = 800;
const MAX_CALM_MS = 5000;
/** More than this in one go become a list. */
const ALONE = 3;
const MAX_LINES = 40;

const LINES_PER_WINDOW = 2;
const LINES_WINDOW_MS = 600_000;

const HEADINGS: Record<Change, [symbol: string, text: string]> = {
  started: ['🚀', 'Services Started'],
  stopped: ['🔴', 'Services Stopped'],
  'asked-stop': ['🔴', 'Services Stopped (on request)'],
  restored: ['✅', 'Services Restored'],
  restarting: ['🔄', 'Services Restarting'],
  restarted: ['🔄', 'Services restarted'],
  redeployed: ['🚀', 'Services redeployed'],
  malfunction: ['⚠️', 'Services with Malfunction'],
  unhealthy: ['🏥', 'Services Unhealthy'],
  renamed: ['🔄', 'Services renamed'],
  removed: ['🔴', 'Services removed: nothing is left to watch'],
};
const MUTED_AS: Partial<Record<Change, string>> = {
  'asked-stop': 'stopped',
  restarted: 'restarting',
  renamed: 'started',
  removed: 'restored',
};
/** Hands in one thing to say. It comes out now or with a later tick, alone or in a list. */
export function say(turn: Turn, item: Item): void {
  flushAbout(turn, item.key);
  turn.out.touched.add(item.key);
  if (isMuted(turn, item)) {
    turn.out.findings.push({ ...item.finding, quiet: true });
    return;
  }
  if (item.finding.verdict === 'event' && tooMany(turn, item)) {
    turn.out.findings.push({ ...item.finding, quiet: true });
    return;
  }
  const bucket = bucketOf(turn, item.change);
  const { mono } = turn.now;
  const alone = URGENT.has(item.change) && bucket.items.length === 0 && mono - bucket.lastAt >= BURST_MS;
  bucket.lastAt = mono;
  if (alone) {
    turn.out.findings.push(item.finding);
    return;
  }
  if (bucket.items.length === 0) bucket.firstAt = mono;
  bucket.items.push(item);
  if (!URGENT.has(item.change)) bucket.due = Math.min(mono + HOLD_CALM_MS, bucket.firstAt + MAX_CALM_MS);
  else if (bucket.items.length === 1) bucket.due = mono + HOLD_URGENT_MS;
}

/** Tells without holding it back for others of its kind; what is muted is only recorded. */
export function sayNow(turn: Turn, said: Pick<Item, 'change' | 'finding'>): void {
  turn.out.findings.push(isMuted(turn, said) ? { ...said.finding, quiet: true } : said.finding);
}

function isMuted(turn: Turn, { change, finding }: Pick<Item, 'change' | 'finding'>): boolean {
  const { muted } = turn.state.rules.of({ name: finding.subject, ...aliasOf(finding) });
  if (muted.includes(MUTED_AS[change] ?? change)) return true;
  // Who did not hear of the beginning of a trouble is not told of its end, either.
  return finding.verdict === 'ok' && muted.includes(CHANGE_OF_RULE[finding.rule] ?? change);
}

function aliasOf(finding: Finding): { service?: string } {
  return finding.alias === undefined ? {} : { service: finding.alias };
}

function bucketOf(turn: Turn, change: Change): Bucket {
  let bucket = turn.state.buckets.get(change);
  if (!bucket) {
    bucket = { items: [], due: 0, firstAt: 0, lastAt: -Infinity };
    turn.state.buckets.set(change, bucket);
  }
  return bucket;
}

/** What is waiting about a service is told before the next thing about it. */
export function flushAbout(turn: Turn, key: string): void {
  for (const bucket of turn.state.buckets.values()) {
    const waiting = bucket.items.filter((item) => item.key === key);
    if (waiting.length === 0) continue;
    bucket.items = bucket.items.filter((item) => item.key !== key);
    turn.out.findings.push(...waiting.map((item) => item.finding));
  }
}

/**
 * Two one-liners about a service within 10 minutes, then one that says that there are many, then none until it is calm. News
 * and trouble are counted apart: three deploys must not hide the crash that follows.
 */
function tooMany(turn: Turn, item: Item): boolean {
  const tally = tallyOf(turn.state, item.key);
  const budget = item.severity === 'info' ? 'lines' : 'troubles';
  const told = tally[budget].filter((at) => turn.now.mono - at < LINES_WINDOW_MS);
  tally[budget] = told;
  if (told.length > LINES_PER_WINDOW) {
    // Each further one prolongs the silence: it ends after 10 calm minutes.
    tally[budget] = [...told.slice(1), turn.now.mono];
    return true;
  }
  told.push(turn.now.mono);
  if (told.length > LINES_PER_WINDOW) {
    const note =
      'It changes often: further changes like this are not told until it has been calm for 10 min.';
    item.finding.html = {
      ...item.finding.html,
      opened: `${item.finding.html?.opened ?? item.line}\n\n${note}`,
    };
    item.line = `${item.line} (changes often; not told again until calm)`;
  }
  return false;
}

/** Tells what has waited long enough. */
export function flushDue(turn: Turn): void {
  for (const [change, bucket] of turn.state.buckets) {
    if (bucket.items.length === 0 || turn.now.mono < bucket.due) continue;
    const { mono } = turn.now;
    const growing = mono - bucket.lastAt < BURST_MS && mono - bucket.firstAt < MAX_URGENT_MS;
    if (URGENT.has(change) && bucket.items.length >= ALONE && growing) {
      bucket.due = Math.min(bucket.lastAt + BURST_MS, bucket.firstAt + MAX_URGENT_MS);
      continue;
    }
    flush(turn, change, bucket);
  }
}

/** Everything at once, for the end of the process. */
export function flushAll(turn: Turn): void {
  for (const [change, bucket] of turn.state.buckets) if (bucket.items.length > 0) flush(turn, change, bucket);
}

function flush(turn: Turn, change: Change, bucket: Bucket): void {
  const { items } = bucket;
  bucket.items = [];
  for (const item of items) turn.out.touched.add(item.key);
  const joined = ONE_LINERS.has(change) ? items.length > 1 : items.length > ALONE;
  if (!joined) {
    turn.out.findings.push(...items.map((item) => item.finding));
    return;
  }
  turn.out.findings.push(
    listFinding(turn, change, items),
    ...items.map((item) => ({ ...item.finding, quiet: true })),
  );
}

function listFinding(turn: Turn, change: Change, items: Item[]): Finding {
  const [symbol, heading] = HEADINGS[change];
  const at = Math.min(...items.map((item) => item.finding.at ?? turn.now.wall));
  const names = items.map((item) => item.finding.subject).join(', ');
  return {
    rule: items[0]!.finding.rule,
    subject: `${items.length} services`,
    severity: worst(items),
    verdict: 'event',
    text: `${items.length} ${heading}: ${names}`,
    details: items.map((item) => item.finding.text),
    html: {
      opened: listMessage(symbol, `${items.length} ${heading}`, items, at),
    },
    at,
  };
}

/** One heading and a line each; of what does not fit a Telegram message the names, as far as they fit. */
function listMessage(symbol: string, heading: string, items: Item[], at: number): string {
  const shown: string[] = [];
  let size = 0;
  for (const { line } of items) {
    size += line.length + 1;
    if (shown.length >= MAX_LINES || size > 2800) break;
    shown.push(line);
  }
  const rest = items.slice(shown.length).map(({ finding }) => safeHtml(finding.subject, 60));
  return [
    `${symbol} <b>${escapeHtml(heading)}</b>`,
    '',
    ...shown,
    ...(rest.length > 0 ? [`... and ${rest.length} more: ${fitting(rest, 1000)}`] : []),
    '',
    `Time: ${formatTime(at)}`,
  ].join('\n');
}

function fitting(names: string[], room: number): string {
  let left = room;
  const shown = names.filter((name) => (left -= name.length + 2) > 0);
  return `${shown.join(', ')}${shown.length < names.length ? ' ...' : ''}`;
}

function worst(items: Item[]): Severity {
  if (items.some((item) => item.severity === 'critical')) return 'critical';
  return items.some((item) => item.severity === 'warning') ? 'warning' : 'info';
}
