import type { Config } from '../config/schema.ts';
import type { ContainerFact } from '../model/container-fact.ts';
import type { Finding, Severity } from '../model/finding.ts';
import type { Incident, IncidentChange, Notification } from '../model/incident.ts';
import type { Message } from '../model/message.ts';
import { claimOf } from '../model/fact-rules.ts';
import { JUMP_MS, jumpWatch } from '../model/jump.ts';
import { ruleInfo } from '../model/rules.ts';
import { START_LINES, type StartLine } from '../model/monitor-report.ts';
import { errorText, safeHtml } from '../model/text.ts';
import { newestIncidentId, pruneIncidents, type Silence } from '../store/incidents.ts';
import type { Store } from '../store/open.ts';
import { advance, keyOf } from './advance.ts';
import { staysDueAt } from './decide.ts';
import { groupsDue, holdAgain, renameEvents, type Groups, type Look } from './group.ts';
import {
  apply,
  firstStart,
  forgetOld,
  load,
  moveFirstStart,
  remember,
  moveAllTimes,
  type Memory,
} from './memory.ts';
import { isTellable, plan } from './plan.ts';
import { policyOf, type Policy } from './policy.ts';
import { addToSave, newSaver, openOnce, writeSaved, type Saver } from './save.ts';
import { listSilences, mendSilences, moveSilences, silencing, windowAt } from './silences.ts';

export type PipelineDeps = {
  store: Pick<Store, 'db'>;
  config: Config;
  clock: { now(): number; monotonic(): number };
  /** When the machine was started, epoch ms by the clock as it is now; undefined, and without it: this process was. */
  bootedAt?(): number | undefined;
  log: { debug(text: string): void; info(text: string): void; warn(text: string): void };
  /** Puts a message into the outbox, in the transaction that is open. */
  enqueue(message: Message): number;
  /** Sends a message from memory while the store takes nothing; without it they wait here. */
  sendUnsaved?: (message: Message) => void;
  /** Whether what a message claims about a container is so at the moment; undefined where nobody can see it. */
  isTrue?: Look['isTrue'];
  /** Asks for a call of `process` at this monotonic time (ms; Infinity: no more), whether or not there is a finding. */
  wakeAt?(mono: number): void;
  /** Words a message; pure. */
  render(decision: Notification): Message;
  /** A fact with what it states of the present as it is now; without it, as it was found. */
  asNow?(fact: ContainerFact): ContainerFact;
  /** The sentence of a fact, or of its end where only time ended it; pure. */
  describe?(fact: ContainerFact, ended: boolean): { text: string; details?: string[] };
};

export type ProcessOptions = {
  /**
   * Rules that have looked at all of their subjects: an open incident of theirs without a finding is one whose subject is
   * gone. Of all other rules, no finding means that nothing changed.
   */
  judged?: readonly string[];
};

export type Pipeline = ReturnType<typeof createPipeline>;

/** Values of an incident that only goes on are written this often. */
const SAVE_VALUES_MS = 300_000;
const PRUNE_EVERY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** Somebody wanted no messages about it until it ends. */
function isHushed({ ack, state }: Incident): boolean {
  return ack?.silent === true && state === 'firing';
}

/** What the pipeline works with, and what it keeps between two batches. */
type Run = {
  deps: PipelineDeps;
  db: Store['db'];
  policy: Policy;
  saver: Saver;
  memory: Memory;
  once: ReturnType<typeof openOnce>;
  jump(): number;
  /** When the clock was last looked at, monotonic. */
  lookedAt: number;
  /** When an incident was saved, by id; epoch ms. */
  savedAt: Map<number, number>;
  groups: Groups;
  silences: Silence[];
  nextId: number;
  /** When a check last judged a rule, and when this process began; epoch ms. */
  judgedAt: Map<string, number>;
  startedAt: number;
  /** When a finding that could not become an incident was sent, monotonic. */
  plainlyAt: Map<string, number>;
  prunedAt?: number;
  /** The very first start with this state folder, epoch ms. */
  first: number;
};

/** Advances the incidents, plans what is sent, and saves both in one transaction. */
function process(
  run: Run,
  findings: readonly Finding[],
  { judged = [] }: ProcessOptions,
  ends = false,
): IncidentChange[] {
  const now = run.deps.clock.now();
  followClock(run);
  const fresh = run.once.without(findings);
  for (const rule of judged) run.judgedAt.set(rule, now);
  const changes = advance(run.memory, fresh, judged, run.policy, now, (incident) => isHidden(run, incident));
  for (const change of changes) describeAnew(run, change);
  for (const { verdict, was, subject } of fresh)
    if (verdict === 'unknown' && was !== undefined) renameEvents(run.groups, was, subject);
  numberAll(run, changes);
  const touched = applyAll(run, changes, now);

  readSilences(run, now);
  const planned = planAll(run, changes, now, ends);

  const onceIds = fresh.flatMap((finding) => finding.once ?? []);
  run.once.add(onceIds);
  for (const { id } of planned.changed) touched.add(id);
  for (const id of touched) run.savedAt.set(id, now);
  addToSave(run.saver, {
    incidents: [...touched].flatMap((id) => run.memory.byId.get(id) ?? []),
    sent: onceIds,
    messages: planned.notifications.map((one) => render(run, one)),
  });
  writeSaved(run.saver, now);
  tidy(run, now);
  run.deps.wakeAt?.(nextDue(run));
  return changes.map((change) => newest(run, change));
}

/** After a clock that was set, times count as the clock does now. */
function followClock(run: Run): void {
  const { clock, log, bootedAt } = run.deps;
  const [now, mono] = [clock.now(), clock.monotonic()];
  const jumped = run.jump();
  const setAfter = now - (mono - run.lookedAt) - JUMP_MS;
  run.lookedAt = mono;
  if (jumped === 0) return;
  moveAllTimes(run.memory, jumped);
  // A monitor that is killed leaves them as the clock counts now.
  addToSave(run.saver, { incidents: [...run.memory.byId.values()] });
  run.startedAt += jumped;
  for (const [rule, at] of run.judgedAt) run.judgedAt.set(rule, at + jumped);
  run.first = moveFirstStart(run.db, run.first, jumped);
  const booted = (bootedAt?.() ?? now - mono) - jumped;
  try {
    moveSilences(run.db, jumped, { now, setAfter, bootedAt: booted });
  } catch (error) {
    log.warn(`Silences cannot be brought in line with the clock: ${errorText(error)}`);
  }
}

/** What it claims about a container cannot be seen at the moment. */
function isHidden({ deps: { isTrue } }: Run, incident: Incident): boolean {
  const claim = claimOf(incident);
  return claim !== undefined && isTrue !== undefined && isTrue(incident, claim) === undefined;
}

/** Takes the changes over; returns the ids of those that are to be saved. */
function applyAll(run: Run, changes: readonly IncidentChange[], now: number): Set<number> {
  const touched = new Set<number>();
  for (const change of changes) {
    const { id } = change.incident;
    if (id !== 0 && worthSaving(run, change, run.memory.byId.get(id), now)) touched.add(id);
    apply(run.memory, change);
  }
  return touched;
}

/** What is to be sent now; what that changes in the incidents is remembered. */
function planAll(run: Run, changes: readonly IncidentChange[], now: number, ends: boolean) {
  const planned = plan(
    {
      all: run.memory.byId,
      changes,
      ...viewOf(run),
      groups: run.groups,
      mono: run.deps.clock.monotonic(),
      now,
    },
    ends,
  );
  for (const incident of planned.changed) remember(run.memory, incident);
  for (const { incident, reason } of planned.reasons)
    run.deps.log.debug(`Incident ${incident.id}, ${incident.rule} ${incident.subject}: ${reason}`);
  return planned;
}

/** What decides whether something can be told of an incident at the moment. */
function viewOf(run: Run) {
  return {
    silenced: (incident: Incident) => isHushed(incident) || silencing(incident, run.silences) !== undefined,
    unseen: (incident: Incident) => isUnseen(run, incident),
    isTrue: run.deps.isTrue ?? (() => true),
    policy: run.policy,
  };
}

/** In its newest form; undefined where a message about something else must not say that it is so. */
function tellable(run: Run, id: number): Incident | undefined {
  readSilences(run, run.deps.clock.now());
  const incident = run.memory.byId.get(id);
  return incident && isTellable(incident, viewOf(run)) ? incident : undefined;
}

/**
 * The monitor was away for long and has not made a check yet, or the source of its rule cannot be read: what is known of it is old. How
 * containers are can be asked at any time.
 */
function isUnseen(
  { judgedAt, startedAt, policy }: Run,
  { rule, state, event, lastSeenAt }: Incident,
): boolean {
  if (state !== 'firing' || event || ruleInfo(rule)?.judged !== undefined) return false;
  return lastSeenAt < (judgedAt.get(rule) ?? startedAt - policy.gapMs);
}

/** The sentences of an incident that goes by another name, or that only time ended. */
function describeAnew(run: Run, { incident, was }: IncidentChange): void {
  const { fact, endFact, state, event } = incident;
  if (!run.deps.describe || !fact) return;
  if (was !== undefined) {
    Object.assign(incident, run.deps.describe(fact, false));
    if (endFact) incident.endText = run.deps.describe(endFact, false).text;
  }
  if (state === 'resolved' && !event && incident.endText === undefined)
    incident.endText = run.deps.describe(fact, true).text;
}

/** Incidents get their number when they fire: what never held is no incident. */
function numberAll(run: Run, changes: readonly IncidentChange[]): void {
  const running = new Map<string, number>();
  for (const { incident, kind } of changes) {
    if (incident.state === 'pending' || kind === 'dropped') continue;
    const key = keyOf(incident);
    // Changed more than once in this batch: the later ones are copies of the one that has no number yet.
    if (incident.id === 0) incident.id = running.get(key) ?? newId(run);
    if (incident.state === 'resolved') running.delete(key);
    else running.set(key, incident.id);
  }
}

function newId(run: Run): number {
  try {
    run.nextId = Math.max(run.nextId, newestIncidentId(run.db) + 1);
  } catch {
    // The store fails: `write` reports that. Numbers go on from the last one known.
  }
  return run.nextId++;
}

function mayName(
  run: Run,
  about: { name: string; service?: string },
  { rule, mutes }: (typeof START_LINES)[StartLine['kind']],
  was = '',
): boolean {
  readSilences(run, run.deps.clock.now());
  const subject = { rule: rule ?? '', subject: about.name, alias: about.service ?? '', was };
  return silencing(subject, run.silences) === undefined && !run.policy.mutes(about, mutes);
}

function readSilences(run: Run, now: number): void {
  followClock(run);
  const windows = run.deps.config.extra.silences.flatMap((window) => windowAt(window, now) ?? []);
  try {
    run.silences = [...mendSilences(run.db, listSilences(run.db, now), now), ...windows];
  } catch {
    run.silences = [...run.silences.filter((silence) => silence.until > now), ...windows];
  }
}

/** What decides about later messages is saved at once, mere values now and then. */
function worthSaving(
  run: Run,
  { incident, kind }: IncidentChange,
  before: Incident | undefined,
  now: number,
): boolean {
  if ((kind !== 'still' && kind !== 'unseen') || !before) return true;
  if (incident.subject !== before.subject) return true;
  if (incident.severity !== before.severity || incident.okSince !== before.okSince) return true;
  if (incident.missingSince !== before.missingSince || incident.flips !== before.flips) return true;
  return now - (run.savedAt.get(incident.id) ?? 0) >= SAVE_VALUES_MS;
}

/** What waited states how things are when its text is written. */
function asNow({ deps }: Run, decision: Notification): Notification {
  const fresh = (incident: Incident): Incident => {
    const fact = incident.fact && deps.asNow?.(incident.fact);
    if (!fact || fact === incident.fact) return incident;
    return { ...incident, fact, ...deps.describe?.(fact, false) };
  };
  return { ...decision, incident: fresh(decision.incident), others: decision.others.map(fresh) };
}

/** A mistake in the wording must not cost the message. */
function render(run: Run, decision: Notification): Message {
  try {
    return run.deps.render(asNow(run, decision));
  } catch (error) {
    run.deps.log.warn(`A message could not be rendered: ${errorText(error)}`);
    const { id, severity, rule, subject, text } = decision.incident;
    return {
      at: decision.at,
      severity,
      kind: rule,
      subject,
      html: unrendered(severity, text),
      incidentId: id,
    };
  }
}

function unrendered(severity: Severity, text: string): string {
  return `${severity.toUpperCase()}: ${safeHtml(text, 1000)}`;
}

/** A finding that could not become an incident, at most once an hour for each subject. */
function sendPlainly(run: Run, { rule, subject, severity, verdict, text }: Finding): void {
  const key = `${rule} ${subject}`;
  const mono = run.deps.clock.monotonic();
  const before = run.plainlyAt.get(key) ?? -Infinity;
  if ((verdict !== 'breach' && verdict !== 'event') || mono - before < HOUR_MS) return;
  run.plainlyAt.set(key, mono);
  const now = run.deps.clock.now();
  const html = unrendered(severity, String(text));
  addToSave(run.saver, { messages: [{ at: now, severity, kind: rule, subject: String(subject), html }] });
  writeSaved(run.saver, now);
}

/** Monotonic time at which something is to be sent although nothing happens. */
function nextDue(run: Run): number {
  let due = Infinity;
  for (const incident of run.memory.open.values()) {
    const { flapping, flips, okSince } = incident;
    const quietMs = run.policy.quietOf(incident.rule);
    if (incident.state !== 'firing') continue;
    if (flapping) due = Math.min(due, (flips.at(-1) ?? 0) + run.policy.calmMs);
    else if (okSince !== undefined || quietMs > 0)
      due = Math.min(due, (okSince ?? incident.lastSeenAt) + quietMs);
    due = Math.min(due, staysDueAt(incident, run.policy) ?? Infinity);
  }
  const mono = run.deps.clock.monotonic();
  // What a silence holds back is not asked for over and over: the checks find it.
  const later = due - run.deps.clock.now();
  return Math.min(groupsDue(run.groups), later > 0 ? mono + later : Infinity);
}

function newest(run: Run, change: IncidentChange): IncidentChange {
  const known = run.memory.byId.get(change.incident.id);
  return known && known.state === change.incident.state ? { ...change, incident: known } : change;
}

function tidy(run: Run, now: number): void {
  forgetOld(run.memory, run.policy.keepMs, now);
  for (const id of run.savedAt.keys()) if (!run.memory.byId.has(id)) run.savedAt.delete(id);
  if (run.prunedAt !== undefined && Math.abs(now - run.prunedAt) < PRUNE_EVERY_MS) return;
  run.prunedAt = now;
  try {
    pruneIncidents(run.db, now);
  } catch (error) {
    run.deps.log.warn(`Old incidents cannot be removed: ${errorText(error)}`);
  }
}

/** Loads what is open and advances it with every batch of findings. */
export function createPipeline(deps: PipelineDeps) {
  const { clock, config, log } = deps;
  const { db } = deps.store;
  const policy = policyOf(config);
  const run: Run = {
    deps,
    db,
    policy,
    saver: newSaver(db, log, deps.enqueue, deps.sendUnsaved),
    memory: load(db, policy, log, clock.now(), deps.describe),
    once: openOnce(db),
    jump: jumpWatch(clock),
    lookedAt: clock.monotonic(),
    savedAt: new Map(),
    groups: { waiting: new Map(), sent: new Map() },
    silences: [],
    nextId: 1,
    judgedAt: new Map(),
    startedAt: clock.now(),
    plainlyAt: new Map(),
    first: firstStart(db, log, clock.now()),
  };
  holdAgain(run.groups, run.memory.byId.values(), clock.monotonic());
  return {
    /** Advances incidents and puts what is to be sent into the outbox, both in one transaction. Never throws. */
    process: (findings: readonly Finding[], options: ProcessOptions = {}): IncidentChange[] =>
      processAll(run, findings, options),
    /** Whether a message about something else may name this container as one that is down: it is neither silenced nor muted. */
    mayName: (about: { name: string; service?: string }): boolean =>
      mayName(run, about, { rule: 'container-stopped', mutes: ['stopped'] }),
    /** Lines of the start message that are neither silenced nor muted. */
    mayReport: (line: StartLine): boolean =>
      mayName(run, line, START_LINES[line.kind], line.kind === 'renamed' ? line.was : ''),
    /** Pending and firing ones. */
    open: (): Incident[] => [...run.memory.open.values()],
    /** A fired or lately ended one, in its newest form. */
    incident: (id: number): Incident | undefined => run.memory.byId.get(id),
    /** The same, where a message about something else may say at the moment that it is so. */
    tellable: (id: number): Incident | undefined => tellable(run, id),
    /** Whether nobody can see at the moment if it is still so. */
    isUnseen(id: number): boolean {
      const incident = run.memory.byId.get(id);
      return incident?.state === 'firing' && (isUnseen(run, incident) || isHidden(run, incident));
    },
    /**
     * Somebody knows of it: it is not repeated any more unless it gets worse; `silent`: nothing is sent until it ends. Undefined where
     * there is no such open incident.
     */
    acknowledge: (id: number, by: string, silent: boolean): Incident | undefined =>
      acknowledge(run, id, by, silent),
    /** How many are firing. */
    counts: (): Record<Severity, number> => countFiring(run),
    /** Epoch ms of the very first start with this state folder, as the clock counts now. */
    firstStart: (): number => run.first,
    /** Why incidents cannot be saved at the moment. */
    trouble: (): string | undefined => run.saver.failure,
    /** Messages that could not be put into the outbox yet. */
    unsaved: (): readonly Message[] => run.saver.messages,
    /** Sends at once what waits for others of its kind; before the end. */
    sendWaiting(): void {
      if (groupsDue(run.groups) < Infinity) process(run, [], {}, true);
    },
    /** Writes what is left; before the store is closed. */
    close(): void {
      addToSave(run.saver, { incidents: [...run.memory.open.values()].filter(({ id }) => id !== 0) });
      writeSaved(run.saver, clock.now());
    },
  };
}

function countFiring({ memory }: Run): Record<Severity, number> {
  const counts = { info: 0, warning: 0, critical: 0 };
  for (const { state, severity } of memory.open.values()) if (state === 'firing') counts[severity] += 1;
  return counts;
}

function processAll(run: Run, findings: readonly Finding[], options: ProcessOptions): IncidentChange[] {
  try {
    return process(run, findings, options);
  } catch (error) {
    run.deps.log.warn(`Incidents could not be advanced: ${errorText(error)}`);
    // One that cannot be dealt with must not take the others with it, nor be lost itself.
    if (findings.length > 1) return findings.flatMap((finding) => processAll(run, [finding], {}));
    for (const finding of findings) sendPlainly(run, finding);
    return [];
  }
}

function acknowledge(run: Run, id: number, by: string, silent: boolean): Incident | undefined {
  const known = run.memory.byId.get(id);
  if (!known || (known.state !== 'firing' && !known.event)) return undefined;
  const at = run.deps.clock.now();
  const { severity, ack } = known;
  // Somebody wanted no messages until it ends: that others know of it, too, changes nothing.
  const hushed = silent || ack?.silent === true;
  const incident: Incident = {
    ...known,
    ack: { by, at, severity, ...(hushed && { silent: true as const }) },
  };
  remember(run.memory, incident);
  addToSave(run.saver, { incidents: [incident] });
  writeSaved(run.saver, at);
  return incident;
}
