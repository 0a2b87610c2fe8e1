import type { Config } from '../config/schema.ts';
import type { Incident } from '../model/incident.ts';
import { safeHtml } from '../model/text.ts';
import type { Db } from '../store/db.ts';
import {
  keepMessage,
  messageShowing,
  messagesOf,
  openMessages,
  readState,
  setWanted,
  type Button,
  type IncidentMessage,
  type MessageState,
} from '../store/incident-messages.ts';
import { isUnderway, undoableAbout } from '../store/incident-actions.ts';
import { announcedWith, incidentById } from '../store/incidents.ts';
import type { MessagePart, StoredRow } from '../store/outbox.ts';
import { buttonsFor, buttonsOfMany } from '../outputs/telegram/buttons.ts';
import { stillOpenTitle } from '../outputs/telegram/digest.ts';
import { renderList, type Rendered } from '../outputs/telegram/living.ts';
import { keyboardOf, readQuestion } from './buttons.ts';
import { inConflict } from './poll.ts';
import type { Sending } from './sending.ts';
import { targetOf } from './targets.ts';
import type { SendOptions } from './telegram.ts';

/** Mere numbers are brought up to date this often; what people did and how it stands at once. */
const VALUES_EVERY_MS = 60_000;
/** An event has no end: so long what was done about it is added to its message. */
const EVENT_MS = 3_600_000;

type TextStep = Extract<MessagePart, { html: string }>;

/** The message in which this incident is shown there. */
function messageOf({ config, db, living }: Sending, row: StoredRow): IncidentMessage | undefined {
  const { incidentId: id } = row;
  if (id === undefined || !living) return undefined;
  const target = targetOf(config, row);
  const incident = incidentById(db, id);
  return (
    [id, incident?.notified.withId, incident?.groupId]
      .flatMap((one) => (one === undefined ? [] : messagesOf(db, one)))
      .find((message) => message.target === target) ?? messageShowing(db, id, target)
  );
}

/**
 * Whether a message begins with it that is edited afterwards: that of an incident, or of a list of them. Also where it follows one that this
 * chat has not: it got worse and goes to another chat, its first was silenced, or it came back and is sent as flapping.
 */
function opens(sending: Sending, row: StoredRow): boolean {
  return (
    row.role === 'opens' ||
    (row.role === 'follows' && row.kind !== 'answer' && messageOf(sending, row) === undefined)
  );
}

/** The incidents of which this step begins the message, the first one first. */
function begunBy(sending: Sending, row: StoredRow, { about }: TextStep): Incident[] {
  const ids = about ?? (row.incidentId !== undefined && opens(sending, row) ? [row.incidentId] : []);
  return ids.flatMap((id) => incidentById(sending.db, id) ?? []);
}

/** The message to which this one is a reply. */
function replyTo(sending: Sending, row: StoredRow): { replyTo?: number } {
  if (row.role === undefined || row.role === 'opens') return {};
  const own = messageOf(sending, row);
  return own ? { replyTo: own.messageId } : {};
}

/** What follows a digest: the incidents in it that are open still, in one message that is edited. */
export function stillOpen(sending: Sending, digest: StoredRow): MessagePart[] {
  const { db, outbox } = sending;
  const ids = outbox
    .foldedInto(digest.id)
    .flatMap(({ role, incidentId, isList }) =>
      role === 'opens' && incidentId !== undefined
        ? [incidentId, ...announcedWith(db, incidentId, { ended: isList === true })]
        : [],
    );
  return listOfOpen(sending, [...new Set(ids)]);
}

/** The same of these incidents as they are now: it may be sent long after the digest. */
export function listOfOpen({ db, server, clock, tellable }: Sending, ids: readonly number[]): MessagePart[] {
  const open = ids
    .flatMap((id) => (tellable ? tellable(id) : incidentById(db, id)) ?? [])
    .filter(({ state, event }) => state !== 'resolved' && !event);
  if (open.length === 0) return [];
  const { html } = renderList(stillOpenTitle(open.length), open, server, clock.now());
  return [{ html, about: open.map(({ id }) => id) }];
}

/** The reply and the buttons that go with a step. What cannot be read is left out: the text matters more. */
export function envelope(
  sending: Sending,
  row: StoredRow,
  step: TextStep,
): Pick<SendOptions, 'replyTo' | 'keyboard'> {
  const { db, config, clock } = sending;
  try {
    const isList = row.isList === true || step.about !== undefined;
    return {
      ...replyTo(sending, row),
      ...buttonsOf(db, config, begunBy(sending, row, step), { isList }, clock.now()),
    };
  } catch {
    return {};
  }
}

/** Telegram accepted the message with which incidents begin; part of the transaction that marks it as sent. */
export function began(sending: Sending, row: StoredRow, step: TextStep, messageId: number, at: number): void {
  const { db, config } = sending;
  if (!sending.living) return;
  const all = begunBy(sending, row, step);
  const first = all[0]?.id ?? (opens(sending, row) ? row.incidentId : undefined);
  if (first === undefined) return;
  const isList = row.isList === true || step.about !== undefined;
  // A row of one incident keeps its whole text, also where Telegram took it in parts.
  const html = step.about ? step.html : row.html;
  keepMessage(db, {
    incidentId: first,
    target: targetOf(config, row),
    messageId,
    sentAt: at,
    openedWith: step.about?.slice(1) ?? announcedWith(db, first, { ended: isList }),
    wanted: stateOf(
      html,
      buttonsOf(db, config, all, { isList }, at),
      isList ? html.split('\n')[0] : undefined,
    ),
  });
}

function stateOf(html: string, buttons: { keyboard?: Button[][] }, list: string | undefined): string {
  return JSON.stringify({ html, ...buttons, ...(list === undefined ? {} : { list }) } satisfies MessageState);
}

type RefreshDeps = {
  db: Db;
  config: Config;
  now(): number;
  /** The incident in its newest form. */
  incident(id: number): Incident | undefined;
  /** The message as it is to be shown. */
  render(incident: Incident, others: readonly Incident[]): Rendered;
  /** The same of a list with this first line. */
  renderList(heading: string, all: readonly Incident[]): Rendered;
  /** One could not be rendered. */
  onFailure(error: unknown): void;
};
/** `last`: what was last rendered for a message, and when. */
type Refresh = RefreshDeps & { last: Map<string, { key: string; at: number }> };

/**
 * Brings what the messages of incidents are to show up to date; delivery then edits them. Everything follows from the incidents, so
 * that nothing is lost where a process dies in between: the next look finds the difference again. `ids`: only messages that show one of
 * these incidents, also those that show its end already: what was done may be known only after it. True when something is to be edited.
 */
export function createRefresh(deps: RefreshDeps): (ids?: ReadonlySet<number>) => boolean {
  const refresh: Refresh = { ...deps, last: new Map() };
  return (ids) => {
    const ended = [...(ids ?? [])]
      .flatMap((id) => messagesOf(deps.db, id))
      .filter((message) => message.ended);
    let changed = false;
    for (const message of [...openMessages(deps.db), ...ended]) {
      const shown = [message.incidentId, ...message.openedWith];
      if (ids && !shown.some((id) => ids.has(id))) continue;
      if (bringUpToDate(refresh, message, shown)) changed = true;
    }
    return changed;
  };
}

/** True when it is to be edited. `shown`: the ids of the incidents in it. */
function bringUpToDate(refresh: Refresh, message: IncidentMessage, shown: readonly number[]): boolean {
  const { db, config, last } = refresh;
  const now = refresh.now();
  const all = shown.flatMap((id) => refresh.incident(id) ?? []);
  const [incident] = all;
  const list = readState(message.wanted)?.list;
  if (!incident || (list === undefined && incident.id !== message.incidentId)) {
    setWanted(db, message, message.wanted, true);
    return false;
  }
  const rendered = renderAll(refresh, incident, all, list);
  const over = all.every((one) => isOver(db, one, now));
  const isList = list !== undefined;
  const buttons = over ? {} : buttonsOf(db, config, all, { isList, pending: message.pending }, now);
  const key = `${rendered.key} ${JSON.stringify(buttons)}`;
  const name = `${message.incidentId} ${message.target}`;
  const before = last.get(name);
  if (before?.key === key && Math.abs(now - before.at) < VALUES_EVERY_MS) return false;
  const wanted = stateOf(rendered.html, buttons, list);
  if (over) last.delete(name);
  else last.set(name, { key, at: now });
  if (wanted === message.wanted && over === message.ended) return false;
  setWanted(db, message, wanted, over);
  return wanted !== message.shown;
}

/** A mistake in the wording must not leave this message, and those behind it, as they were when they were sent. */
function renderAll(
  refresh: Refresh,
  incident: Incident,
  all: readonly Incident[],
  list: string | undefined,
): Rendered {
  try {
    return list === undefined ? refresh.render(incident, all.slice(1)) : refresh.renderList(list, all);
  } catch (error) {
    refresh.onFailure(error);
    const { severity, state, text } = incident;
    const html = `${severity.toUpperCase()}${state === 'resolved' ? ', over' : ''}: ${safeHtml(text, 1000)}`;
    return { html, key: html };
  }
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

/**
 * Of a list: over when all are. Of what happened once, what was done about it is added for a while; so is the result of what ended it, which is
 * known a little later.
 */
function isOver(db: Db, incident: Incident, now: number): boolean {
  if (incident.state !== 'resolved') return false;
  if (now - (incident.resolvedAt ?? incident.openedAt) > EVENT_MS) return true;
  return !incident.event && !isUnderway(db, incident);
}
