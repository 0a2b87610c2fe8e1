import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultExtra } from '../../src/config/schema.ts';
import { createPipeline, type Pipeline } from '../../src/incidents/pipeline.ts';
import { addSilence, endSilence } from '../../src/incidents/silences.ts';
import type { Incident, Notification } from '../../src/model/incident.ts';
import type { Message } from '../../src/model/message.ts';
import { openOutbox } from '../../src/store/outbox.ts';
import { incidentsSince } from '../../src/store/incidents.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { configWith } from '../helpers/command.ts';
import type { Step, Story } from './story.ts';

/** A Wednesday at noon. */
const BEGIN = new Date(2026, 0, 14, 12, 0, 0).getTime();

export type Told = { said: string[]; incidents: string[]; logged: string[] };

/** Runs a story against a real database and outbox, and returns what was said and what is recorded. */
export function tell(story: Story): Told {
  const stateDir = mkdtempSync(join(tmpdir(), 'vpsmon-story-'));
  const logged: string[] = [];
  const time = { at: 0, set: 0, full: false };
  const clock = {
    now: () => BEGIN + (time.at + time.set) * 1000,
    monotonic: () => 5000 + time.at * 1000,
    sleep: async () => undefined,
  };
  const log = (text: string) => void logged.push(text);
  const config = configWith(story.settings ?? {}, {
    extra: { ...defaultExtra(), ...story.extra },
    stateDir,
  });

  function start(): { store: Store; pipeline: Pipeline } {
    const store = openStore(stateDir, clock.now());
    // No story pulls the plug: thousands of checks without waiting for the disk.
    store.db.exec('PRAGMA synchronous = OFF');
    const outbox = openOutbox(store.db);
    const pipeline = createPipeline({
      store,
      config,
      clock,
      log: { debug: () => undefined, info: log, warn: log },
      enqueue(message) {
        if (time.full) throw new Error('database or disk is full');
        return outbox.enqueue(message);
      },
      render: (decision) => asMessage(decision, time.at),
    });
    return { store, pipeline };
  }

  let { store, pipeline } = start();
  function play(step: Step): void {
    if (step.setClock !== undefined) time.set += step.setClock;
    if (step.diskFull !== undefined) time.full = step.diskFull;
    if (step.restart) {
      store.close();
      ({ store, pipeline } = start());
    }
    const other = step.silence ?? step.endSilence;
    if (other !== undefined) {
      const second = openStore(stateDir, clock.now());
      if (step.silence) {
        const { subject, seconds } = step.silence;
        addSilence(second.db, { subject, until: clock.now() + seconds * 1000, reason: 'story' }, clock.now());
      }
      if (step.endSilence !== undefined) endSilence(second.db, step.endSilence);
      second.close();
    }
    if (step.findings || step.judged) {
      pipeline.process(step.findings ?? [], step.judged ? { judged: step.judged } : {});
    }
  }

  try {
    for (const step of story.steps) {
      time.at = step.at;
      play(step);
    }
    pipeline.close();
    const said = openOutbox(store.db)
      .waiting()
      .map((row) => row.html);
    const incidents = incidentsSince(store.db, 0).toReversed().map(describe);
    return { said, incidents, logged };
  } finally {
    store.close();
    rmSync(stateDir, { recursive: true, force: true });
  }
}

function asMessage(decision: Notification, at: number): Message {
  const { reason, incident, others, previousSeverity } = decision;
  const parts = [`${clockText(at)} ${reason} ${incident.rule} ${incident.subject}`];
  if (reason === 'worse') parts.push(`${previousSeverity} -> ${incident.severity}`);
  else if (incident.severity !== 'warning') parts.push(incident.severity);
  if (reason === 'stable') parts.push(incident.state === 'resolved' ? 'fine' : 'still on');
  if (reason === 'flapping' || (reason === 'stable' && incident.changes)) {
    parts.push(`${incident.changes} changes`);
  }
  if (others.length > 0) parts.push(`and ${others.map((other) => other.subject).join(' ')}`);
  return {
    at: decision.at,
    severity: incident.severity,
    kind: incident.rule,
    subject: incident.subject,
    html: parts.join(', '),
    incidentId: incident.id,
  };
}

function describe(incident: Incident): string {
  const { rule, subject, state, severity, endedAs, flapping, event } = incident;
  const parts = [`${rule} ${subject}`, event ? `${state} event` : state, severity];
  if (endedAs === 'gone') parts.push('gone');
  if (flapping) parts.push('flapping');
  if (incident.worst !== undefined) {
    const worst = incident.unit === 'bytes' ? incident.worst / 1_048_576 : incident.worst;
    parts.push(`worst ${worst}`);
  }
  return parts.join(', ');
}

function clockText(seconds: number): string {
  const two = (n: number) => String(Math.floor(n)).padStart(2, '0');
  const days = Math.floor(seconds / 86_400);
  const time = `${two((seconds % 86_400) / 3600)}:${two((seconds % 3600) / 60)}:${two(seconds % 60)}`;
  return days > 0 ? `${days}d ${time}` : time;
}
