import type { Action } from '../model/action.ts';
import type { Incident } from '../model/incident.ts';
import { ruleInfo } from '../model/rules.ts';
import { formatTime, plain } from '../model/text.ts';
import { actionsBetween, actionsToUndo, unfinishedActions } from './actions.ts';
import type { Db } from './db.ts';

/** A container that recovery stops is told as stopped a little later; what thrashes is an incident when it has held for a minute. */
const BEFORE_MS = 10 * 60_000;
/** What was stopped for it comes back when it has been calm for a while. */
const AFTER_MS = 60 * 60_000;

/**
 * What recovery did about an incident, one plain line each, oldest first: found by time and by whom it is about, for recovery runs
 * beside the monitor and may be quicker or slower than it.
 */
export function actionsAbout(db: Db, incident: Incident): string[] {
  const { openedAt, resolvedAt = Number.MAX_SAFE_INTEGER } = incident;
  // What was done about the queue or a session before it was an incident was about the one before it.
  const before = incident.rule === 'n8n-queue' || incident.rule === 'waha-session' ? 0 : BEFORE_MS;
  const about = actionsBetween(db, openedAt - before, resolvedAt + AFTER_MS).filter(
    (action) => action.state !== 'would-do' && isAbout(action, incident),
  );
  const during = new Set(about.filter(({ startedAt }) => startedAt <= resolvedAt).map(({ id }) => id));
  return (
    about
      // What takes something away after its end is about the next one.
      .filter(
        ({ id, undo, undoes }) =>
          during.has(id) || (undoes ? undoes.some((one) => during.has(one)) : undo === undefined),
      )
      .map(({ rule, startedAt, what, target, state, result, why }) => {
        const end = state === 'running' ? 'begun' : result || state;
        const who = rule === 'hand' ? ` (${plain(why, 100)})` : '';
        return `${formatTime(startedAt)} ${what} ${plain(target)}: ${plain(end, 300)}${who}`;
      })
  );
}

/** Whether recovery is just doing something about an incident. */
export function isUnderway(db: Db, incident: Incident): boolean {
  return unfinishedActions(db).some((action) => isAbout(action, incident));
}

/** The newest thing that recovery did about an incident and that can be taken back. */
export function undoableAbout(db: Db, incident: Incident): Action | undefined {
  return (['swap', 'loops', 'queue', 'waha'] as const)
    .flatMap((rule) => actionsToUndo(db, rule))
    .filter((action) => isAbout(action, incident))
    .toSorted((a, b) => a.id - b.id)
    .at(-1);
}

function isAbout({ rule, target, undo }: Action, incident: Incident): boolean {
  const same = target === incident.subject || target === incident.alias;
  const acting = ruleInfo(incident.rule)?.recovery;
  if (acting !== undefined && acting !== 'waha') return rule === acting;
  if (acting === 'waha') {
    const sessions = undo?.['sessions'];
    return rule === 'waha' && (same || (Array.isArray(sessions) && sessions.includes(incident.subject)));
  }
  const aboutContainer = /^(?:container-|restart-loop$|oom-kill$)/.test(incident.rule);
  return aboutContainer && rule !== 'queue' && same;
}
