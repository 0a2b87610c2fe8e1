import type { Finding } from '../model/finding.ts';
import type { Incident } from '../model/incident.ts';
import type { Message } from '../model/message.ts';
import { errorText } from '../model/text.ts';
import { type Db, immediately } from '../store/db.ts';
import { markSentOnce, saveIncidents, wasSentOnce } from '../store/incidents.ts';

/** A store that fails for days must not fill the memory. */
const MOST_MESSAGES = 1000;

/**
 * Writes incidents, ids of events that were sent, and messages together or not at all. When the store fails (disk full, locked) they are kept in
 * memory, in order, and tried again; messages go to `handOver` where it is given, which sends them from memory: an alert must not
 * wait for room on the disk that it is about.
 */
export type Saver = {
  db: Db;
  log: { warn(text: string): void; info(text: string): void };
  enqueue(message: Message): number;
  handOver: ((message: Message) => void) | undefined;
  incidents: Map<number, Incident>;
  sent: Set<string>;
  /** Those that no outbox has taken yet, oldest first. */
  messages: Message[];
  /** Why the last attempt failed; undefined when all is written. */
  failure?: string;
};

export function newSaver(
  db: Db,
  log: Saver['log'],
  enqueue: Saver['enqueue'],
  handOver: Saver['handOver'],
): Saver {
  return { db, log, enqueue, handOver, incidents: new Map(), sent: new Set(), messages: [] };
}

/** Takes over what is to be written; nothing is written yet. */
export function addToSave(
  saver: Saver,
  work: { incidents?: readonly Incident[]; sent?: readonly string[]; messages?: readonly Message[] },
): void {
  for (const incident of work.incidents ?? []) saver.incidents.set(incident.id, incident);
  for (const id of work.sent ?? []) saver.sent.add(id);
  saver.messages.push(...(work.messages ?? []));
  if (saver.messages.length <= MOST_MESSAGES) return;
  const halfOf = (critical: boolean): Message[] =>
    saver.messages.filter(({ severity }) => (severity === 'critical') === critical).slice(-MOST_MESSAGES / 2);
  saver.messages = [...halfOf(true), ...halfOf(false)].toSorted((a, b) => a.at - b.at);
}

/** Writes everything that is waiting in one transaction. What cannot be written waits for the next time. */
export function writeSaved(saver: Saver, now: number): void {
  const { db, log, incidents, sent, messages, failure, handOver } = saver;
  if (incidents.size === 0 && sent.size === 0 && messages.length === 0) return;
  try {
    immediately(db, () => {
      saveIncidents(db, [...incidents.values()]);
      markSentOnce(db, [...sent], now);
      for (const message of messages) saver.enqueue(message);
    });
  } catch (error) {
    const why = errorText(error);
    if (why !== failure) log.warn(`Incidents cannot be saved and are kept in memory: ${why}`);
    saver.failure = why;
    if (!handOver) return;
    for (const message of messages) handOver(message);
    saver.messages = [];
    return;
  }
  incidents.clear();
  sent.clear();
  saver.messages = [];
  if (failure !== undefined) log.info('Incidents can be saved again');
  delete saver.failure;
}

const MOST_REMEMBERED = 10_000;

/** Which events were sent, for ever: in memory, and in the store for what came before. */
export function openOnce(db: Db) {
  const sent = new Set<string>();

  function has(id: string): boolean {
    if (sent.has(id)) return true;
    try {
      if (!wasSentOnce(db, id)) return false;
    } catch {
      return false; // Better twice than never.
    }
    if (sent.size >= MOST_REMEMBERED) sent.clear();
    sent.add(id);
    return true;
  }

  return {
    /** Leaves out events that were sent, and those that are twice in this batch. */
    without(findings: readonly Finding[]): Finding[] {
      const here = new Set<string>();
      return findings.filter(({ once }) => {
        if (once === undefined) return true;
        if (here.has(once) || has(once)) return false;
        here.add(once);
        return true;
      });
    },
    add(ids: readonly string[]): void {
      for (const id of ids) sent.add(id);
    },
  };
}
