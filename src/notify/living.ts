import type { Config } from '../config/schema.ts';
import type { Incident } from '../model/incident.ts';
import type { Db } from '../store/db.ts';
import {
  openIncidentMessages,
  readState,
  type Button,
  type MessageState,
} from '../store/incident-messages.ts';
import { undoableAbout } from '../store/incident-actions.ts';
import { announcedWith, incidentById } from '../store/incidents.ts';
import type { StoredRow } from '../store/outbox.ts';
import { buttonsFor, buttonsOfMany } from '../outputs/telegram/buttons.ts';
import { keyboardOf, readQuestion } from './buttons.ts';
import { inConflict } from './poll.ts';
import { targetOf } from './targets.ts';
import type { SendOptions } from './telegram.ts';

/** Mere numbers are brought up to date this often; what people did and how it stands at once. */
const VALUES_EVERY_MS = 60_000;
/** An event has no end: so long what was done about it is added to its message. */
const EVENT_MS = 3_600_000;

/** What a message shows; `key` changes with everything but mere numbers. */
export type Rendered = { html: string; key: string };
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
        const isList = row.isList === true;
        if (row.role === 'opens') return incident ? buttonsOf(db, config, [incident], { isList }, now()) : {};
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
      const isList = row.isList === true;
      const incident = incidentById(db, row.incidentId);
      const buttons = incident ? buttonsOf(db, config, [incident], { isList }, at) : {};
      messages.began({
        incidentId: row.incidentId,
        target: targetOf(config, row),
        messageId,
        sentAt: at,
        openedWith: announcedWith(db, row.incidentId, { ended: isList }),
        wanted: stateOf(row.html, buttons, isList ? row.html.split('\n')[0] : undefined),
      });
    },
  };
}

function stateOf(html: string, buttons: { keyboard?: Button[][] }, list: string | undefined): string {
  return JSON.stringify({ html, ...buttons, ...(list === undefined ? {} : { list }) } satisfies MessageState);
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
  /** The message as it is to be shown. */
  render(incident: Incident, others: readonly Incident[]): Rendered;
  /** The same of a list with this first line. */
  renderList(heading: string, all: readonly Incident[]): Rendered;
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
      const all = shown.flatMap((id) => deps.incident(id) ?? []);
      const [incident, ...others] = all;
      const list = readState(message.wanted)?.list;
      if (!incident || (list === undefined && incident.id !== message.incidentId)) {
        messages.want(message.incidentId, message.target, message.wanted, true);
        continue;
      }
      const rendered = list === undefined ? deps.render(incident, others) : deps.renderList(list, all);
      const ended = all.every((one) => isOver(one, now()));
      const isList = list !== undefined;
      const buttons = ended ? {} : buttonsOf(db, config, all, { isList, pending: message.pending }, now());
      const key = `${rendered.key} ${JSON.stringify(buttons)}`;
      const before = last.get(name);
      if (before?.key === key && Math.abs(now() - before.at) < VALUES_EVERY_MS) continue;
      const wanted = stateOf(rendered.html, buttons, list);
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
  all: readonly Incident[],
  { isList, pending }: { isList: boolean; pending?: string | undefined },
  now: number,
): { keyboard?: Button[][] } {
  const [incident] = all;
  const { settings } = config;
  if (!settings.TELEGRAM_COMMANDS || !incident || inConflict(db)) return {};
  const rows = isList
    ? buttonsOfMany(all)
    : buttonsFor(incident, {
        acts: settings.TELEGRAM_ACTIONS,
        undoable: settings.TELEGRAM_ACTIONS && undoableAbout(db, incident) !== undefined,
        question: readQuestion(pending, now),
      });
  const keyboard = keyboardOf(db, incident.id, rows, now);
  return keyboard.length > 0 ? { keyboard } : {};
}

/** Of a list: over when all are. Of what happened once, what was done about it is added for a while. */
function isOver(incident: Incident, now: number): boolean {
  if (incident.state !== 'resolved') return false;
  return !incident.event || now - (incident.resolvedAt ?? incident.openedAt) > EVENT_MS;
}
