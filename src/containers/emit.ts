// Hands a change on to the incidents: muted ones and those of a service that changes all the time are only recorded.
import type { Change } from '../model/change.ts';
import type { Finding } from '../model/finding.ts';
import { ruleInfo } from '../model/rules.ts';
import { current, tallyOf } from './table.ts';
import type { Item, Turn } from './types.ts';

const LINES_PER_WINDOW = 2;
const LINES_WINDOW_MS = 600_000;

const MUTED_AS: Partial<Record<Change, string>> = {
  'asked-stop': 'stopped',
  restarted: 'restarting',
  renamed: 'started',
  removed: 'restored',
};

/** Hands in one change of a service. */
export function say(turn: Turn, item: Item): void {
  const { key, change, claim } = item;
  turn.out.touched.add(key);
  const tooOften = item.finding.verdict === 'event' && tooMany(turn, item);
  if (isMuted(turn, item) || tooOften) {
    turn.out.findings.push({ ...item.finding, quiet: true });
    return;
  }
  const job = isJob(turn, item) ? ({ job: true } as const) : {};
  turn.out.findings.push({
    ...item.finding,
    list: { change, line: item.line, ...job },
    ...(claim ? { claim } : {}),
  });
}

/** Nobody asked for it to be watched, nothing starts it again: it came, or it ended without an error. */
function isJob(turn: Turn, { key, finding, severity }: Item): boolean {
  if (finding.verdict !== 'event' || severity !== 'info') return false;
  if (turn.state.rules.of({ name: finding.subject, ...aliasOf(finding) }).named) return false;
  const policy = current(turn.state, key)?.info.restartPolicy ?? 'no';
  return policy === 'no' || policy === 'on-failure';
}

function isMuted(turn: Turn, { change, finding }: Pick<Item, 'change' | 'finding'>): boolean {
  const { muted } = turn.state.rules.of({ name: finding.subject, ...aliasOf(finding) });
  if (muted.includes(MUTED_AS[change] ?? change)) return true;
  // Who did not hear of the beginning of a trouble is not told of its end, either.
  return finding.verdict === 'ok' && muted.includes(ruleInfo(finding.rule)?.mute ?? change);
}

function aliasOf(finding: Finding): { service?: string } {
  return finding.alias === undefined ? {} : { service: finding.alias };
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
