import { randomBytes } from 'node:crypto';
import { addSilence, listSilences, silenceName } from '../incidents/silences.ts';
import { secretsFromEnv } from '../model/secret-patterns.ts';
import type { Incident } from '../model/incident.ts';
import { errorText, formatTime, maskSecrets } from '../model/text.ts';
import {
  isDestructive,
  QUESTION_MS,
  readButton,
  readQuestion,
  rightFor,
  type Question,
} from '../notify/buttons.ts';
import type { Tapped } from '../notify/updates.ts';
import { permit } from '../notify/permit.ts';
import { placeOf } from '../notify/targets.ts';
import {
  ANSWERS,
  BUTTON_NAMES,
  failedAnswer,
  silencedAnswer,
  silentAlreadyAnswer,
  type ButtonAction,
  type Destructive,
} from '../outputs/telegram/buttons.ts';
import { printedHtml } from '../outputs/telegram/console.ts';
import { detailsHtml } from '../outputs/telegram/details.ts';
import { decodeRecording } from '../recorder/ring.ts';
import { recordingOf } from '../store/recordings.ts';
import { isEssential } from '../discovery/essential.ts';
import { immediately } from '../store/db.ts';
import {
  beginEdit,
  messagesOf,
  readState,
  setPending,
  type IncidentMessage,
} from '../store/incident-messages.ts';
import { undoableAbout } from '../store/incident-actions.ts';
import { incidentById, annotateIncident, withAnnotations } from '../store/incidents.ts';
import { askFor, chart } from './console-asked.ts';
import { carryOut, dropOrder, keepOrder, openOrders, type Order } from './console-orders.ts';
import { alive, NOT_CONFIGURED, type Console } from './console-types.ts';

const LOG_LINES = 30;
const INSPECT_MS = 2000;
const TOO_LATE = 'it was tapped too long ago, and not done: tap again';
const HOUR_MS = 3_600_000;
/** Subjects that are nothing of their own. */
const GENERAL = new Set(['host', 'vpsmon']);

/** Incidents about the memory of the whole host. */
const DRAWN = new Set(['memory-available', 'memory-pressure', 'swap-used', 'swap-in', 'oom-kill']);
const DRAWN_PERIOD = '24h';
/** Drawing takes up to 180 MB for a moment, in a process that ends. */
const TO_DRAW_BYTES = 300 * 1_048_576;

type Job = {
  console: Console;
  tap: Tapped;
  message: IncidentMessage;
  incident: Incident;
  by: string;
  /** Answers the tap; false where that was too late for Telegram, for it waited while no monitor ran. */
  answer(text?: string, alert?: boolean): Promise<boolean>;
};

/**
 * What a button does. Nothing happens for one that is forged, forwarded, out of date or tapped by somebody who may not; the tap is
 * answered in any case, else the phone goes on waiting.
 */
export async function tapped(console: Console, tap: Tapped, chat: string | undefined): Promise<void> {
  const { monitor, telegram } = console;
  let answered = false;
  const answer = async (text = '', alert = false) => {
    answered = true;
    const reply = await alive(monitor, telegram.answerCallback(tap.queryId, text, alert));
    return !(reply.kind === 'error' && /query is too old/i.test(reply.description));
  };
  try {
    await decide(console, tap, chat, answer);
  } catch (error) {
    if (monitor.state.closed) throw error;
    // What is to be done is saved before the tap is answered: a disk that takes nothing lets nothing be done.
    if (!answered) await answer(failedAnswer(console.mask(errorText(error))), true);
    throw error;
  }
}

async function decide(
  console: Console,
  tap: Tapped,
  chat: string | undefined,
  answer: Job['answer'],
): Promise<void> {
  const { monitor } = console;
  const { db } = monitor.store;
  if (chat === undefined) {
    console.refused(tap, 'a button', NOT_CONFIGURED);
    return void (await answer());
  }
  const button = readButton(db, tap.data, console.now());
  if ('forged' in button) {
    if (button.elsewhere) {
      monitor.system.log.warn(
        `Telegram: ${tap.from?.name ?? 'somebody'} tapped a button of another server, or a forged one. Nothing was done.`,
      );
      return void (await answer(ANSWERS.elsewhere, true));
    }
    console.refused(tap, 'a button', 'The button was not made by this monitor.');
    return void (await answer());
  }
  const message = messagesOf(db, button.incidentId).find(
    (one) => placeOf(one.target).chat === chat && one.messageId > 0 && one.messageId === tap.messageId,
  );
  const incident = monitor.pipeline.incident(button.incidentId) ?? incidentById(db, button.incidentId);
  if (!message || !incident) return void (await answer(ANSWERS.outOfDate));
  const allowed = permit(monitor.config, tap.chat, tap.from, rightFor(button.action));
  if (!allowed.ok) {
    if (allowed.reason === 'stranger')
      console.refused(tap, `the button ${BUTTON_NAMES[button.action]}`, allowed.why);
    return void (await answer(allowed.why, true));
  }
  const isEnded = ({ state, event }: Incident) => state === 'resolved' && !event;
  const over = [incident, ...message.openedWith.flatMap((id) => monitor.pipeline.incident(id) ?? [])].every(
    isEnded,
  );
  if (over && rightFor(button.action) !== 'read') {
    monitor.refreshMessages(new Set([incident.id]));
    return void (await answer(ANSWERS.ended));
  }
  const by = tap.from?.name ?? 'somebody';
  await act({ console, tap, message, incident, by, answer }, button.action, button.nonce);
}

async function act(job: Job, action: ButtonAction, nonce: string): Promise<void> {
  if (isDestructive(action)) return ask(job, action, false);
  if (action === 'yes' || action === 'no') return decided(job, action === 'yes', nonce);
  const { console, incident, by, answer } = job;
  const { monitor } = console;
  const now = console.now();
  if (action === 'logs' || action === 'details') {
    if (!(await answer())) return;
    const html = action === 'logs' ? await logs(console, incident) : details(console, incident);
    const to = { place: placeOf(job.message.target), replyTo: job.message.messageId };
    await console.reply(html, to);
    if (action === 'details' && isDrawn(console, incident))
      askFor(console, { id: job.tap.updateId, ...chart(DRAWN_PERIOD) }, to);
    return;
  }
  if (action === 'hour') {
    const subject = nameOfSilence(incident);
    const { db } = monitor.store;
    const known = listSilences(db, now).find((one) => one.subject === silenceName(subject));
    const until = now + HOUR_MS;
    // Who wants an hour of silence ends none that lasts longer.
    if (known && known.until >= until) return void (await answer(silentAlreadyAnswer(subject, known.until)));
    addSilence(db, { subject, until, reason: `by ${by} on Telegram` }, now);
    note(job, `silenced ${subject} until ${formatTime(until)}`);
    await answer(silencedAnswer(subject));
  } else {
    // What was announced together is acknowledged together.
    const known = [incident.id, ...job.message.openedWith].flatMap(
      (id) => monitor.pipeline.acknowledge(id, by, action === 'end') ?? [],
    );
    if (known.length === 0) return void (await answer(ANSWERS.ended));
    console.record(
      `${by} acknowledged incident ${incident.id} (${incident.rule} ${incident.subject})${action === 'end' ? ', no messages until it ends' : ''}`,
    );
    await answer(action === 'end' ? ANSWERS.silentUntilEnd : ANSWERS.acknowledged);
  }
  await show(job);
}

/** What is about nothing of its own is silenced by its rule. */
function nameOfSilence({ rule, subject }: Incident): string {
  return GENERAL.has(subject) || rule === 'left-off' ? rule : subject;
}

/** Asks before anything is stopped; `again`: it is essential, and was confirmed once. */
async function ask(job: Job, action: Destructive, again: boolean): Promise<void> {
  const { console } = job;
  const { db } = console.monitor.store;
  const step = action === 'undo' ? undoableAbout(db, job.incident) : undefined;
  if (action === 'undo' && !step) {
    await job.answer(ANSWERS.nothingToUndo);
    return show(job);
  }
  const question: Question = {
    action,
    ...(step ? { step: { id: step.id, what: `${step.what} ${step.target}` } } : {}),
    nonce: randomBytes(6).toString('base64url'),
    userId: job.tap.from?.id ?? '',
    until: console.now() + QUESTION_MS,
    ...(again ? { again } : {}),
  };
  setPending(db, job.message, JSON.stringify(question));
  if (!(await job.answer(again ? ANSWERS.essential : ANSWERS.sure))) {
    // What was tapped while no monitor ran is nothing that somebody wants now.
    setPending(db, job.message, undefined);
    if (!again) return;
    note(job, `${action}: ${TOO_LATE}`);
  }
  await show(job);
}

async function decided(job: Job, yes: boolean, nonce: string): Promise<void> {
  const { console, incident, message, tap, by, answer } = job;
  const { db } = console.monitor.store;
  const question = readQuestion(message.pending, console.now());
  if (question?.nonce === nonce && yes && question.userId !== (tap.from?.id ?? ''))
    return void (await answer(ANSWERS.notYours));
  const asksAgain =
    yes &&
    question !== undefined &&
    question.action !== 'undo' &&
    question.again !== true &&
    (await essential(console, incident.subject));
  // Read anew: while Docker was asked somebody may have tapped once more.
  const asked = messagesOf(db, incident.id).find(({ target }) => target === message.target)?.pending;
  if (!question || question.nonce !== nonce || asked !== message.pending) {
    await answer(ANSWERS.outOfDate);
    return show(job);
  }
  if (!yes) {
    setPending(db, message, undefined);
    await answer(ANSWERS.nothingDone);
    return show(job);
  }
  const { action } = question;
  if (asksAgain) return ask(job, action, true);
  const order: Order = {
    id: nonce,
    incidentId: incident.id,
    target: message.target,
    args: question.step
      ? ['undo', String(question.step.id)]
      : [`${action}-container`, incident.subject, `asked for by ${by} on Telegram`],
    by,
    at: console.now(),
  };
  // By who taps again, or in another chat that has the incident.
  if (openOrders(db).some(({ args }) => args[0] === order.args[0] && args[1] === order.args[1])) {
    setPending(db, message, undefined);
    await answer(ANSWERS.atWork);
    return show(job);
  }
  // Answered: whatever happens from here on, it is not done a second time, and its result is sent.
  immediately(db, () => {
    setPending(db, message, undefined);
    keepOrder(console, order);
  });
  if (!(await answer(ANSWERS[action]))) {
    dropOrder(console, order);
    note(job, `${action}: ${TOO_LATE}`);
    return show(job);
  }
  console.record(`${by} asked for: ${order.args.slice(0, 2).join(' ')} (incident ${incident.id})`);
  await show(job);
  console.later(carryOut(console, order));
}

async function essential({ monitor }: Console, name: string): Promise<boolean> {
  const container = containerNamed(monitor, name);
  if (!container) return false;
  const inspect = await alive(
    monitor,
    // A Docker that hangs must not keep the tap waiting for its answer.
    monitor.system.docker.inspect(container.id, AbortSignal.timeout(INSPECT_MS)).catch(() => undefined),
  );
  return isEssential(container, monitor.config, inspect);
}

function containerNamed({ watcher }: Console['monitor'], name: string) {
  return watcher.containers().find((one) => one.name === name);
}

async function logs({ monitor, mask }: Console, incident: Incident): Promise<string> {
  const title = `${incident.subject}: the last ${LOG_LINES} log lines`;
  try {
    const { docker } = monitor.system;
    const container = containerNamed(monitor, incident.subject);
    if (!container) return printedHtml(title, ['There is no container of this name now.']);
    const soon = AbortSignal.timeout(5000);
    const [lines, inspect] = await Promise.all([
      docker.logs(container.id, LOG_LINES, soon),
      docker.inspect(container.id, soon),
    ]);
    const own = secretsFromEnv(inspect.env);
    return printedHtml(
      title,
      lines.map((line) => mask(maskSecrets(line, own))),
    );
  } catch (error) {
    return printedHtml(title, [`They cannot be read: ${mask(errorText(error))}`]);
  }
}

/** Where the memory of the host is the matter, a picture shows it; never while there is too little left to draw it. */
function isDrawn({ monitor }: Console, { rule, subject }: Incident): boolean {
  const host = monitor.state.snapshot?.readings.host;
  const available = host?.state === 'ok' ? host.value.memory.availableBytes : 0;
  return available >= TO_DRAW_BYTES && (DRAWN.has(rule) || (rule === 'forecast' && subject === 'host'));
}

function details(console: Console, incident: Incident): string {
  const { db } = console.monitor.store;
  const stored = recordingOf(db, incident.id);
  const recording = stored && decodeRecording(stored.data);
  return console.mask(detailsHtml(withAnnotations(db, incident), recording, console.now()));
}

function note({ console, incident, by }: Job, text: string): void {
  console.record(`${by} ${text} (incident ${incident.id})`);
  annotateIncident(console.monitor.store.db, incident.id, console.now(), `${by} ${text}`);
}

/**
 * Shows the new state at once, for somebody is looking. Delivery edits it again in its own time: what it then finds unchanged
 * costs nothing, and a state that came in between is not lost.
 */
async function show({ console, incident, message }: Job): Promise<void> {
  const { monitor, telegram } = console;
  const { db } = monitor.store;
  monitor.refreshMessages(new Set([incident.id]));
  const newest = messagesOf(db, incident.id).find((one) => one.target === message.target);
  const state = newest && readState(newest.wanted);
  if (!newest || !state || newest.messageId === 0 || newest.wanted === newest.shown) return;
  beginEdit(db, newest);
  const place = placeOf(newest.target);
  const begun = monitor.delivery.count(place.chat);
  await telegram.editText(newest.messageId, state.html, {
    place,
    ...(state.keyboard ? { keyboard: state.keyboard } : {}),
  });
  monitor.delivery.count(place.chat, begun);
  if (monitor.state.closed) return;
  // What came in between may have been shown before this: delivery makes sure.
  const after = messagesOf(db, incident.id).find((one) => one.target === message.target);
  if (after && after.wanted !== newest.wanted) beginEdit(db, after);
  monitor.delivery.kick();
}
