import { Finite } from '../model/shapes.ts';
import type { Message } from '../model/message.ts';
import { formatTime, maskSecrets, plain } from '../model/text.ts';
import { recall, remember } from '../store/memory.ts';
import type { Db } from '../store/db.ts';
import type { Outbox } from '../store/outbox.ts';
import { htmlToPlain } from '../model/html.ts';

/** `2025-07-16 10:35:00 ` at the beginning of a line. */
export const TIME_LETTERS = 20;
/** The id of the last message that alert_history.log has. */
const WRITTEN = 'alert-log.written';

/**
 * One line of alert_history.log: when, how bad, what kind, about what, and the text with ` | ` for its line ends.
 *
 *     2025-07-16 10:35:00 CRITICAL container-stopped [web] Service Stopped | Service: web | Restart Count: 0
 */
export function alertLine(message: Message, secrets: readonly string[] = []): string {
  const text = textOf(message.html)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join(' | ');
  const severity = message.severity.toUpperCase();
  const about = plain(message.subject, 100);
  // The line has it already: "WARNING disk-space [/] Disk / is ...".
  const once = text.startsWith(`${severity}: `) ? text.slice(severity.length + 2) : text;
  const line = `${formatTime(message.at)} ${severity} ${plain(message.kind, 60)} [${about}] ${plain(once, 3000)}`;
  return maskSecrets(line, secrets);
}

/** As it is where it cannot be read as HTML: the log must have every message. */
function textOf(html: string): string {
  try {
    return htmlToPlain(html);
  } catch {
    return html;
  }
}

/**
 * Writes the accepted messages of all processes into alert_history.log, each once; used by whoever holds the delivery lock. How
 * far it is reaches the disk with the next thing that is saved anyway: a crash in between repeats a line, and loses none.
 */
export function createAlertLog(deps: {
  db: Db;
  outbox: Outbox;
  /** Returns what went wrong. */
  append(line: string): string | undefined;
  /** `line` without its time. */
  onLine(line: string, severity: Message['severity']): void;
  onFailure(why: string): void;
  secrets: readonly string[];
}) {
  const { db, outbox } = deps;
  let written = 0;
  let saved = 0;
  let failure: string | undefined;

  function reload(): void {
    // Not beyond the last one: a table that was made anew counts from 1 again.
    saved = Math.min(recall(db, WRITTEN, Finite) ?? 0, outbox.lastId());
    written = Math.max(written, saved);
  }
  reload();

  return {
    reload,
    behind: (): boolean => outbox.lastId() > written,
    write(): void {
      for (let rows = outbox.after(written); rows.length > 0; rows = outbox.after(written)) {
        for (const row of rows) {
          const line = alertLine(row, deps.secrets);
          const why = deps.append(line);
          if (why !== undefined) {
            if (why !== failure) deps.onFailure(why);
            failure = why;
            return; // Tried again with the next message.
          }
          failure = undefined;
          deps.onLine(line.slice(TIME_LETTERS), row.severity);
          written = row.id;
        }
      }
      written = Math.max(written, outbox.lastId());
    },
    save(now: number): void {
      if (written > saved) remember(db, WRITTEN, written, now);
      saved = written;
    },
  };
}
