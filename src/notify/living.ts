import type { Config } from '../config/schema.ts';
import type { Incident } from '../model/incident.ts';
import type { Db } from '../store/db.ts';
import { openIncidentMessages, type Button, type MessageState } from '../store/incident-messages.ts';
import { undoableAbout } from '../store/incident-actions.ts';
import { announcedWith, incidentById } from '../store/incidents.ts';
import type { StoredRow } from '../store/outbox.ts';
import { keyboardFor, readQuestion } from './buttons.ts';
import { inConflict } from './poll.ts';
import { targetOf } from './targets.ts';
import type { SendOptions } from './telegram.ts';

/** Mere numbers are brought up to date this often; what people did and how it stands at once. */
const VALUES_EVERY_MS = 60_000;
/** An event has no end: so long what was done about it is added to its message. */
const EVENT_MS = 3_600_000;

export type LivingMessages = ReturnType<typeof createLiving>;

/** The sending side of messages that are edited: what goes with a message, and what is kept of it once it was accepted. */
export function createLiving(db: Db, config: Config, now: () => number) {
  const messages = openIncidentMessages(db);
  return {
    messages,
    /** The reply and the buttons that go with this message. What cannot be read is left out: the text matters more. */
    envelope(row: StoredRow): Pick<SendOptions, 'replyTo' | 'keyboard'> {
      if (row.incidentId === undefined || row.role === undefined) return {};
      try {
        const target = targetOf(config, row);
        const incident = incidentById(db, row.incidentId);
        if (row.role === 'opens') return incident ? buttonsOf(db, config, incident, undefined, now()) : {};
        const ids = [row.incidentId, incident?.said.withId, incident?.groupId];
        const own = ids
          .flatMap((id) => (id === undefined ? [] : messages.of(id)))
          .find((message) => message.target === target);
        return own ? { replyTo: own.messageId } : {};
      } catch {
        return {};
      }
    },
    /** Telegram accepted the message with which an incident begins; part of the transaction that marks it as sent. */
    began(row: StoredRow, messageId: number, at: number): void {
      if (row.role !== 'opens' || row.incidentId === undefined) return;
      const incident = incidentById(db, row.incidentId);
      messages.began({
        incidentId: row.incidentId,
        target: targetOf(config, row),
        messageId,
        sentAt: at,
        openedWith: announcedWith(db, row.incidentId),
        wanted: JSON.stringify({
          html: row.html,
          ...(incident ? buttonsOf(db, config, incident, undefined, at) : {}),
        } satisfies MessageState),
      });
    },
  };
}

/**
 * Brings what the messages of incidents are to show up to date; delivery then edits them. Everything follows from the incidents, so
 * that nothing is lost where a process dies in between: the next look finds the difference again.
 */
export function createRefresh(deps: {
  db: Db;
  config: Config;
  now(): number;
  /** The incident in its newest form. */
  incident(id: number): Incident | undefined;
  /** The message as it is to be shown; `key` changes with everything but mere numbers. */
  render(incident: Incident, others: readonly Incident[]): { html: string; key: string };
}) {
  const { config, db, now } = deps;
  const messages = openIncidentMessages(db);
  const last = new Map<string, { key: string; at: number }>();

  /** `ids`: only messages that show one of these incidents. True when something is to be edited. */
  return function refresh(ids?: ReadonlySet<number>): boolean {
    let changed = false;
    for (const message of messages.open()) {
      const shown = [message.incidentId, ...message.openedWith];
      if (ids && !shown.some((id) => ids.has(id))) continue;
      const name = `${message.incidentId} ${message.target}`;
      const incident = deps.incident(message.incidentId);
      if (!incident) {
        messages.want(message.incidentId, message.target, message.wanted, true);
        continue;
      }
      const others = message.openedWith.flatMap((id) => deps.incident(id) ?? []);
      const rendered = deps.render(incident, others);
      const ended = isOver(incident, now());
      const buttons = ended ? {} : buttonsOf(db, config, incident, message.pending, now());
      const key = `${rendered.key} ${JSON.stringify(buttons)}`;
      const before = last.get(name);
      if (before?.key === key && Math.abs(now() - before.at) < VALUES_EVERY_MS) continue;
      const wanted = JSON.stringify({ html: rendered.html, ...buttons } satisfies MessageState);
      if (ended) last.delete(name);
      else last.set(name, { key, at: now() });
      if (wanted === message.wanted && !ended) continue;
      messages.want(message.incidentId, message.target, wanted, ended);
      changed ||= wanted !== message.shown;
    }
    return changed;
  };
}

/** The buttons that fit; none where nobody would hear of a tap. */
function buttonsOf(
  db: Db,
  config: Config,
  incident: Incident,
  pending: string | undefined,
  now: number,
): { keyboard?: Button[][] } {
  if (inConflict(db)) return {};
  const undoable = config.settings.TELEGRAM_ACTIONS && undoableAbout(db, incident) !== undefined;
  const keyboard = keyboardFor(db, config, incident, { question: readQuestion(pending, now), undoable }, now);
  return keyboard.length > 0 ? { keyboard } : {};
}

function isOver(incident: Incident, now: number): boolean {
  if (incident.state !== 'resolved') return false;
  return !incident.event || now - (incident.resolvedAt ?? incident.openedAt) > EVENT_MS;
}
