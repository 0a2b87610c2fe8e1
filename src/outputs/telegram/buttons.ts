// The buttons below an incident, and what the phone shows for a moment when one was tapped.
import type { Incident } from '../../model/incident.ts';
import { formatTime, plain } from '../../model/text.ts';

export const BUTTON_NAMES = {
  logs: 'Logs',
  details: 'Details',
  ack: 'Acknowledge',
  hour: 'Silence 1 h',
  end: 'Until it ends',
  restart: 'Restart',
  stop: 'Stop',
  undo: 'Undo',
  yes: 'Yes',
  no: 'No',
} as const;
export type ButtonAction = keyof typeof BUTTON_NAMES;
export type Destructive = Extract<ButtonAction, 'restart' | 'stop' | 'undo'>;
/** `nonce`: of the question that it answers. */
export type ButtonLabel = { text: string; action: ButtonAction; nonce?: string };

/** An incident about a container, by its rule. */
const ABOUT_CONTAINER = /^(?:container-|restart-loop$|oom-kill$)/;

/**
 * Pure: the rows of buttons that fit an incident as it stands; none once it has ended. `undoable`: recovery did something about it
 * that can be taken back. `acts`: buttons may stop and restart. `question`: what somebody tapped, and is to confirm.
 */
export function buttonsFor(
  incident: Incident,
  more: {
    acts: boolean;
    undoable?: boolean | undefined;
    question?:
      | {
          action: Destructive;
          nonce: string;
          again?: boolean | undefined;
          step?: { what: string } | undefined;
        }
      | undefined;
  },
): ButtonLabel[][] {
  const { rule, subject, state, event, ack } = incident;
  if (state === 'resolved' && !event) return [];
  const { question } = more;
  if (question) {
    const { action, nonce, again, step } = question;
    const what = `${action} ${step ? plain(step.what, 40) : plain(subject, 30)}`;
    const yes = again ? `It is essential: really ${what}` : `Yes, ${what}`;
    return [[{ text: yes, action: 'yes', nonce }], [{ text: 'No', action: 'no', nonce }]];
  }
  const about = subject !== 'host' && ABOUT_CONTAINER.test(rule) && !isGone(incident);
  // A deploy that went well is not to be undone by a thumb.
  const acts = more.acts && about && !(event && incident.severity === 'info');
  return [
    [show(about, 'logs'), show(true, 'details')],
    [show(!event && !ack, 'ack'), show(!event, 'hour'), show(!event && !ack?.silent, 'end')],
    [
      show(acts, 'restart'),
      show(acts && !isDown(incident), 'stop'),
      show(more.acts && more.undoable === true, 'undo'),
    ],
  ]
    .map((row) => row.flat())
    .filter((row) => row.length > 0);
}

function isGone({ fact }: Incident): boolean {
  if (fact?.kind !== 'stopped') return false;
  return fact.over === 'removed' || fact.next?.kind === 'removed' || fact.next?.kind === 'removed-itself';
}

/** While it is down and Docker does not try to start it again. */
function isDown({ fact, okSince, event }: Incident): boolean {
  if (event || okSince !== undefined || fact?.kind !== 'stopped') return false;
  return fact.next?.kind !== 'keeps-trying';
}

/** Pure: the buttons of a list, bound to its first incident: what they do is done to each of them. */
export function buttonsOfMany(all: readonly Incident[]): ButtonLabel[][] {
  const open = all.filter(({ state }) => state !== 'resolved');
  const row = [
    show(
      open.some(({ ack }) => !ack),
      'ack',
      'Acknowledge all',
    ),
    show(
      open.some(({ ack }) => !ack?.silent),
      'end',
      'Until they end',
    ),
  ].flat();
  return row.length > 0 ? [row] : [];
}

function show(shown: boolean, action: ButtonAction, text: string = BUTTON_NAMES[action]): ButtonLabel[] {
  return shown ? [{ text, action }] : [];
}

/** Answers to a tap. */
export const ANSWERS = {
  elsewhere:
    'This button is of another server, whose monitor does not read this bot. Give each server a bot of its own.',
  outOfDate: 'This button is out of date.',
  ended: 'This incident has ended.',
  acknowledged: 'Acknowledged: it is not repeated.',
  silentUntilEnd: 'No messages until it ends.',
  nothingToUndo: 'There is nothing to undo any more.',
  sure: 'Sure? Tap once more.',
  essential: 'It is essential. Really?',
  notYours: 'Somebody else was asked.',
  nothingDone: 'Nothing was done.',
  atWork: 'That is being done already.',
  undo: 'Undoing...',
  stop: 'Stopping...',
  restart: 'Restarting...',
} as const;

/** Before anything was done something went wrong: most often the disk is full, just when somebody wants to do something about it. */
export function failedAnswer(why: string): string {
  return /\bfull\b|read-?only|ENOSPC|EROFS/i.test(why)
    ? `Nothing was done: vpsmon cannot write to its state folder (${plain(why, 60)}). Make room on that disk, then try again.`
    : `Nothing was done: ${plain(why, 100)}. See the log of vpsmon.`;
}

export function silencedAnswer(subject: string): string {
  return `No messages about ${plain(subject, 60)} for an hour.`;
}

export function silentAlreadyAnswer(subject: string, until: number): string {
  return `${plain(subject, 60)} is silent already, until ${formatTime(until)}.`;
}
