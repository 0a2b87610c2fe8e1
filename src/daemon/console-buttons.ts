import { randomBytes } from 'node:crypto';
import { addSilence } from '../incidents/silences.ts';
import { secretsFromEnv } from '../model/env-secrets.ts';
import type { Incident } from '../model/incident.ts';
import { errorText, formatTime, maskSecrets, plain } from '../model/text.ts';
import {
  isDestructive,
  QUESTION_MS,
  readButton,
  readQuestion,
  rightFor,
  type ButtonAction,
  type Destructive,
  type Question,
} from '../notify/buttons.ts';
import type { Tapped } from '../notify/incoming.ts';
import { permit } from '../notify/permit.ts';
import { placeOf } from '../notify/targets.ts';
import { renderIncident } from '../outputs/terminal/incidents.ts';
import { printedHtml } from '../outputs/telegram/console.ts';
import { isEssential } from '../recovery/containers.ts';
import { openIncidentMessages, readState, type IncidentMessage } from '../store/incident-messages.ts';
import { undoableAbout } from '../store/incident-actions.ts';
import { incidentById, noteOnIncidentId, withNotes } from '../store/incidents.ts';
import { alive, type Console } from './console-types.ts';

const LOG_LINES = 30;
const HOUR_MS = 3_600_000;
/** What a person knows by its name where it is about nothing of its own. */
const GENERAL = new Set(['host', 'vpsmon']);

/** What buttons do. Nothing happens for one that is forged, forwarded, out of date or tapped by somebody who may not. */
export function createButtons(console: Console) {
  const { monitor, telegram } = console;
  const { config } = monitor;
  const { db } = monitor.store;
  const messages = openIncidentMessages(db);

  async function tapped(tap: Tapped, chat: string | undefined): Promise<void> {
    const say = (text = '', alert = false) =>
      alive(monitor, telegram.answerCallback(tap.queryId, text, alert));
    if (chat === undefined) {
      console.refused(tap, 'a button', 'The chat is not configured.');
      return void (await say());
    }
    const button = readButton(db, tap.data, console.now());
    if ('forged' in button) {
      if (button.elsewhere)
        return void (await say(
          'This button is of another server, whose monitor does not read this bot. Give each server a bot of its own.',
          true,
        ));
      console.refused(tap, 'a button', 'The button was not made by this monitor.');
      return void (await say());
    }
    const message = messages
      .of(button.incidentId)
      .find((one) => placeOf(one.target).chat === chat && one.messageId === tap.messageId);
    const incident = monitor.pipeline.incident(button.incidentId) ?? incidentById(db, button.incidentId);
    if (!message || !incident) return void (await say('This button is out of date.'));
    const allowed = permit(config, tap.chat, tap.from, rightFor(button.action));
    if (!allowed.ok) {
      if (allowed.reason === 'stranger') console.refused(tap, `the button ${button.action}`, allowed.why);
      return void (await say(allowed.why, true));
    }
    const over = incident.state === 'resolved' && !incident.event;
    if (over && rightFor(button.action) !== 'read') {
      monitor.refreshMessages(new Set([incident.id]));
      return void (await say('This incident has ended.'));
    }
    const by = tap.from?.name ?? 'somebody';
    const job: Job = {
      tap,
      message,
      incident,
      by,
      say: async (text, alert) => void (await say(text, alert)),
    };
    await act(job, button.action, button.nonce);
  }

  async function act(job: Job, action: ButtonAction, nonce: string): Promise<void> {
    if (isDestructive(action)) return ask(job, action, false);
    if (action === 'yes' || action === 'no') return decided(job, action === 'yes', nonce);
    const { incident, by, say } = job;
    const now = console.now();
    if (action === 'logs' || action === 'details') {
      await say();
      const html = action === 'logs' ? await logs(incident) : details(incident);
      return console.reply(html, { place: placeOf(job.message.target), replyTo: job.message.messageId });
    }
    if (action === 'hour') {
      const subject = GENERAL.has(incident.subject) ? incident.rule : incident.subject;
      const until = now + HOUR_MS;
      addSilence(db, { subject, until, reason: `by ${by} on Telegram` }, now);
      note(job, `silenced ${subject} until ${formatTime(until)}`);
      await say(`No messages about ${plain(subject, 60)} for an hour.`);
    } else {
      const known = monitor.pipeline.acknowledge(incident.id, by, action === 'end');
      if (!known) return say('This incident has ended.');
      console.record(
        `${by} acknowledged incident ${incident.id} (${incident.rule} ${incident.subject})${action === 'end' ? ', no messages until it ends' : ''}`,
      );
      await say(action === 'end' ? 'No messages until it ends.' : 'Acknowledged: it is not repeated.');
    }
    await show(job);
  }

  /** Asks before anything is stopped; `again`: it is essential, and was confirmed once. */
  async function ask(job: Job, action: Destructive, again: boolean): Promise<void> {
    const question: Question = {
      action,
      nonce: randomBytes(6).toString('base64url'),
      userId: job.tap.from?.id ?? '',
      until: console.now() + QUESTION_MS,
      ...(again ? { again } : {}),
    };
    messages.ask(job.incident.id, job.message.target, JSON.stringify(question));
    await job.say(again ? 'It is essential. Really?' : 'Sure? It asks once more.');
    await show(job);
  }

  async function decided(job: Job, yes: boolean, nonce: string): Promise<void> {
    const { incident, message, tap, by, say } = job;
    const question = readQuestion(message.pending, console.now());
    if (!question || question.nonce !== nonce) {
      await show(job);
      return say('This button is out of date.');
    }
    if (yes && question.userId !== (tap.from?.id ?? '')) return say('Somebody else was asked.');
    // Answered: whatever happens from here on, it is not done a second time.
    messages.ask(incident.id, message.target, undefined);
    if (!yes) {
      await say('Nothing was done.');
      return show(job);
    }
    const { action } = question;
    if (action !== 'undo' && question.again !== true && (await essential(incident.subject)))
      return ask(job, action, true);
    await say(action === 'undo' ? 'Undoing...' : `${action === 'stop' ? 'Stopping' : 'Restarting'}...`);
    await show(job);
    const why = `asked for by ${by} on Telegram`;
    const undo = action === 'undo' ? undoableAbout(db, incident) : undefined;
    if (action === 'undo' && !undo) return;
    const args = undo
      ? ['recover', 'undo', undo.rule]
      : ['recover', `${action}-container`, incident.subject, why];
    const result = await console.runOwn([...args, '--json']);
    const text = console.mask(resultOf(result.stdout) ?? lastLine(result.stderr));
    console.record(`${by}: ${args.slice(1, 3).join(' ')}: ${text}`);
    noteOnIncidentId(
      db,
      incident.id,
      console.now(),
      `${args.slice(1, 3).join(' ')} by ${by}: ${plain(text, 200)}`,
    );
    await show(job);
    await console.reply(printedHtml(`${action} ${incident.subject}, asked for by ${by}`, [text]), {
      place: placeOf(message.target),
      replyTo: message.messageId,
    });
  }

  async function essential(name: string): Promise<boolean> {
    const container = monitor.watcher.containers().find((one) => one.name === name);
    if (!container) return false;
    const inspect = await alive(
      monitor,
      monitor.system.docker.inspect(container.id).catch(() => undefined),
    );
    return isEssential(container, config, inspect);
  }

  async function logs(incident: Incident): Promise<string> {
    const title = `${incident.subject}: the last ${LOG_LINES} log lines`;
    try {
      const { docker } = monitor.system;
      const container = monitor.watcher.containers().find((one) => one.name === incident.subject);
      if (!container) return printedHtml(title, ['There is no container of this name now.']);
      const soon = AbortSignal.timeout(5000);
      const [lines, inspect] = await Promise.all([
        docker.logs(container.id, LOG_LINES, soon),
        docker.inspect(container.id, soon),
      ]);
      const own = secretsFromEnv(inspect.env);
      return printedHtml(
        title,
        lines.map((line) => console.mask(maskSecrets(plain(line, 300), own))),
      );
    } catch (error) {
      return printedHtml(title, [`They cannot be read: ${console.mask(errorText(error))}`]);
    }
  }

  function details(incident: Incident): string {
    const full = withNotes(db, incident);
    const text = renderIncident(full, { now: console.now(), color: false, columns: 300 });
    return printedHtml(`Incident ${incident.id}`, console.mask(text).trim().split('\n').slice(1));
  }

  function note({ incident, by }: Job, text: string): void {
    console.record(`${by} ${text} (incident ${incident.id})`);
    noteOnIncidentId(db, incident.id, console.now(), `${by} ${text}`);
  }

  /**
   * Shows the new state at once, for somebody is looking. Delivery edits it again in its own time: what it then finds unchanged
   * costs nothing, and a state that came in between is not lost.
   */
  async function show({ incident, message }: Job): Promise<void> {
    monitor.refreshMessages(new Set([incident.id]));
    const newest = messages.of(incident.id).find((one) => one.target === message.target);
    const state = newest && readState(newest.wanted);
    if (!newest || !state || newest.wanted === newest.shown) return;
    messages.unsure(incident.id, newest.target);
    await telegram.editText(newest.messageId, state.html, {
      place: placeOf(newest.target),
      ...(state.keyboard ? { keyboard: state.keyboard } : {}),
    });
  }

  return { tapped };
}

type Job = {
  tap: Tapped;
  message: IncidentMessage;
  incident: Incident;
  by: string;
  say(text?: string, alert?: boolean): Promise<void>;
};

/** The sentence in what `recover --json` prints. */
function resultOf(stdout: string): string | undefined {
  try {
    const { results } = JSON.parse(stdout) as {
      results?: { found?: unknown; attempts?: { text?: unknown }[] }[];
    };
    const texts = (results ?? []).flatMap(({ found, attempts = [] }) =>
      attempts.length > 0 ? attempts.map(({ text }) => text) : [found],
    );
    return plain(texts.filter((text) => typeof text === 'string').join('; '), 400);
  } catch {
    return undefined;
  }
}

function lastLine(text: string): string {
  return plain(text.trim().split('\n').at(-1) ?? '', 300) || 'it ended without a word';
}
