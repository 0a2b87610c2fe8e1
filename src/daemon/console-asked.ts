// What commands and buttons ask of a process of its own, from there to the answer.
import { errorText, formatTime } from '../model/text.ts';
import { keepAsked, markAnswered, unanswered, type Asked } from '../notify/asked.ts';
import { targetOfPlace, type Place } from '../notify/targets.ts';
import { answerOf, lostHtml, printedHtml } from '../outputs/telegram/console.ts';
import { immediately } from '../store/db.ts';
import type { Console } from './console-types.ts';

/** Longer after it was asked for, nobody waits for it any more. */
const STALE_MS = 600_000;
const LINES_MOST = 80;

type Wanted = Pick<Asked, 'name' | 'args' | 'title'>;

/** The daily report, for the place that asked. */
export function report(): Wanted {
  return { name: 'report', args: ['report', 'telegram'] };
}

/** Memory, swap and pressure of the last `period` ("24h") as a picture. */
export function chart(period: string): Wanted {
  return { name: 'chart', args: ['report', 'telegram', '--chart', period] };
}

export function forecast(): Wanted {
  return { name: 'forecast', args: ['forecast'], title: 'Forecast' };
}

/** Has it made, and its answer sent to the place that asked. `id`: of the update that asked. */
export function askFor(console: Console, wanted: Wanted & { id: number }, { place }: { place: Place }): void {
  const { monitor, now } = console;
  const asked: Asked = { ...wanted, target: targetOfPlace(place), at: now(), tries: 0 };
  let kept = true;
  try {
    keepAsked(monitor.store.db, asked, now());
  } catch {
    // A full disk: nothing of it outlives the monitor, and it is answered all the same.
    kept = false;
  }
  console.later(make(console, asked, kept));
}

/** After a start: what the monitor before this one did not answer is made once more, and then given up. */
export function resumeAsked(console: Console): void {
  const { monitor, now, hostname } = console;
  const { db } = monitor.store;
  for (const asked of unanswered(db)) {
    if (asked.tries > 0 || Math.abs(now() - asked.at) > STALE_MS) {
      answer(console, asked, answerOf(hostname, lostHtml(asked.name, formatTime(asked.at))));
      continue;
    }
    try {
      keepAsked(db, { ...asked, tries: asked.tries + 1 }, now());
      console.later(make(console, asked, true));
    } catch (error) {
      // A full disk. With the next start, so that it cannot be made again and again.
      monitor.system.log.warn(
        `/${asked.name} waits for its answer until it can be kept: ${errorText(error)}`,
      );
    }
  }
}

async function make(console: Console, asked: Asked, kept: boolean): Promise<void> {
  const { title, target, id } = asked;
  const isPrinted = title !== undefined;
  const own = isPrinted ? [] : ['--to', target, ...(kept ? ['--asked', String(id)] : [])];
  const { exitCode, stdout, stderr } = await console.runOwn([...asked.args, ...own]);
  // Its answer is in the outbox.
  console.monitor.delivery.kick();
  if (exitCode === 0 && !isPrinted) return;
  const printed = isPrinted && exitCode !== 3;
  const lines = console
    .mask(printed ? stdout : stderr)
    .trim()
    .split('\n');
  // Warnings about the settings stand in the log; here they would hide the reason.
  const reasons = lines.filter((line) => !line.startsWith('warning: '));
  const html = printed
    ? printedHtml(`${console.hostname}: ${title}`, lines.slice(0, LINES_MOST))
    : printedHtml(`${console.hostname}: that did not work`, reasons.slice(-3));
  answer(console, kept ? asked : { ...asked, id: -1 }, html);
}

/** Puts the answer into the outbox, unless there is one already; where that is full, sends it. */
function answer(console: Console, { id, target, name }: Asked, html: string): void {
  const { monitor, now } = console;
  const { db } = monitor.store;
  const message = { at: now(), severity: 'info', kind: 'answer', subject: name, html, target } as const;
  try {
    immediately(db, () => {
      if (id < 0 || markAnswered(db, id, now())) monitor.outbox.enqueue(message);
    });
    monitor.delivery.kick();
  } catch {
    monitor.delivery.sendUnsaved(message);
  }
}
