import type { Action } from '../model/action.ts';
import type { Incident } from '../model/incident.ts';
import { ruleInfo } from '../model/rules.ts';
import { formatTime, plain } from '../model/text.ts';
import { actionsBetween, allActionsToUndo, unfinishedActions } from './actions.ts';
import type { Db } from './db.ts';
import { jsonField } from './rows.ts';

/** Whom an incident is about. */
type Subject = { rule: string; subject: string; alias?: string | undefined };

/** What takes longer than this has died on the way. */
const LONGEST_MS = 10 * 60_000;
/** The monitor sees what recovery did, or what it was done about, so much later. */
const SEEN_WITHIN_MS = 60_000;
/** What was stopped for it comes back when it has been calm for a while; what happened in a moment is acted upon afterwards. */
const AFTER_MS = 60 * 60_000;

/**
 * What recovery did about an incident, one plain line each, oldest first: found by time and by whom it is about, for recovery runs
 * beside the monitor and may be quicker or slower than it.
 */
export function actionsAbout(db: Db, incident: Incident): string[] {
  const { openedAt, resolvedAt = Number.MAX_SAFE_INTEGER, event } = incident;
  // What was done about the queue or a session before it was an incident was about the one before it.
  const quicker = incident.rule !== 'n8n-queue' && incident.rule !== 'waha-session';
  const about = actionsBetween(db, openedAt - (quicker ? LONGEST_MS : 0), resolvedAt + AFTER_MS).filter(
    (action) => action.state !== 'would-do' && isAbout(action, incident),
  );
  const own = new Set<number>();
  for (const action of about) {
    const { id, startedAt, endedAt = startedAt + LONGEST_MS, undo, undoes } = action;
    const isDuring = startedAt >= openedAt && startedAt <= resolvedAt;
    const isJustBefore = startedAt < openedAt && openedAt - endedAt <= SEEN_WITHIN_MS;
    const takesBack = undoes?.some((one) => own.has(one)) === true;
    const isAnswer = event === true && startedAt > resolvedAt && !undo && !undoes;
    if (isDuring || isJustBefore || takesBack || (isAnswer && !isAboutAnother(db, action, incident)))
      own.add(id);
  }
  return about
    .filter(({ id }) => own.has(id))
    .map(({ rule, startedAt, what, target, state, result, why }) => {
      const end = state === 'running' ? 'begun' : result || state;
      const who = rule === 'hand' ? ` (${plain(why, 100)})` : '';
      return `${formatTime(startedAt)} ${what} ${plain(target)}: ${plain(end, 300)}${who}`;
    });
}

/** Whether another incident that it may be about was open when it began. */
function isAboutAnother(db: Db, action: Action, { id }: Incident): boolean {
  const open = db
    .prepare(
      `SELECT rule, subject, ${jsonField('alias')} AS alias FROM incidents
       WHERE id <> ?1 AND opened_at <= ?2 AND coalesce(resolved_at, ?2) >= ?2`,
    )
    .all(id, action.startedAt) as { rule: string; subject: string; alias: string | null }[];
  return open.some(({ alias, ...one }) => isAbout(action, { ...one, alias: alias ?? undefined }));
}

/** Whether recovery is just doing something about an incident. */
export function isUnderway(db: Db, incident: Incident): boolean {
  return unfinishedActions(db).some((action) => isAbout(action, incident));
}

/** The newest thing that recovery did about an incident and that can be taken back. */
export function undoableAbout(db: Db, incident: Incident): Action | undefined {
  return allActionsToUndo(db).findLast((action) => isAbout(action, incident));
}

function isAbout({ rule, target, undo }: Action, incident: Subject): boolean {
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
