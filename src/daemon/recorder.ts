import { join } from 'node:path';
import { createFlightSampler, sampleOf } from '../collectors/flight-sample.ts';
import { largestFirst } from '../model/container-memory.ts';
import type { Incident, IncidentChange } from '../model/incident.ts';
import type { FlightSample, Recording } from '../model/recording.ts';
import type { Snapshot } from '../model/sources.ts';
import { errorText } from '../model/text.ts';
import { essenceOf, growthWithin, type Grown, isMoment, isRecorded, toRecord } from '../recorder/essence.ts';
import {
  createRing,
  decodeRecording,
  MAX_ENCODED_BYTES,
  RING_CONTAINERS,
  type About,
  type Ring,
} from '../recorder/ring.ts';
import type { Db } from '../store/db.ts';
import { recordingOf, saveRecording } from '../store/recordings.ts';
import { bootedAt } from '../system/moment.ts';
import { readBytes, replaceBehind, setAside } from '../system/state-files.ts';
import type { System } from '../system/types.ts';

/** A sample this often: 0.3 ms of CPU with twelve containers. */
export const SAMPLE_EVERY_MS = 5000;
const FILE = 'recorder.bin';
/** A check that took longer has values that are old when it ends. */
const FRESH_MS = 1000;
/** How far back a recording goes. */
const WINDOW_MS = 600_000;
/** A monitor that is killed loses what came after the last write. */
const WRITE_EVERY_MS = 50_000;

export type Recorder = {
  /** Takes a sample; now and then writes the ring to the disk, behind the back of the caller. */
  tick(): void;
  /** The sample that was taken last; undefined where nothing could be read. */
  last(): FlightSample | undefined;
  /** The last ten minutes, oldest sample first. */
  recent(): FlightSample[];
  /** Writes them to the disk now, for a recovery that is about to start. Never rejects. */
  flush(): Promise<void>;
  /** After a check: what it read is a sample, and chooses the containers that are sampled until the next one. */
  follow(snapshot: Snapshot): void;
  /**
   * For an incident that has just begun or got worse: the minutes before it in three plain lines. None where it is not of those
   * that are recorded, and where nothing was.
   */
  lines(incident: Incident): string[];
  /** What `lines` answered for this incident, also before a restart. */
  known(incident: Incident): string[];
  /** Containers that grew within the last ten minutes, most first. */
  grown(): Grown[];
  /** Keeps the recordings of incidents that have just begun. Never throws. */
  save(changes: readonly IncidentChange[]): void;
  /** Writes what is left. */
  close(): Promise<void>;
};

type Deps = { system: Pick<System, 'files' | 'clock' | 'log'>; db: Db; stateDir: string };

type State = Deps & {
  path: string;
  ring: Ring;
  sampler: ReturnType<typeof createFlightSampler>;
  /** What the monitor before this one had written. */
  earlier: Recording | undefined;
  about: About;
  /** Monotonic, like `sampledAt`. */
  writtenAt: number;
  sampledAt: number;
  last: FlightSample | undefined;
  writeError: string | undefined;
  writing: Promise<void> | undefined;
  /** The lines of an incident, by its id. */
  lines: Map<number, string[]>;
};

/**
 * The flight recorder: the last ten minutes, sampled every five seconds, in memory and in `recorder.bin`. What the monitor
 * before this one had written goes on in the ring, and is what is saved when the server went down without shutting down.
 */
export function createRecorder(deps: Deps): Recorder {
  const { files, clock, log } = deps.system;
  const path = join(deps.stateDir, FILE);
  const earlier = readEarlier(path, log);
  const { bootId = '', memoryTotalBytes = 0, swapTotalBytes = 0 } = earlier ?? {};
  const state: State = {
    ...deps,
    path,
    ring: createRing(),
    sampler: createFlightSampler(files, clock),
    earlier,
    // Until the first check, which may itself find what is recorded.
    about: { bootId, memoryTotalBytes, swapTotalBytes },
    writtenAt: clock.monotonic(),
    sampledAt: -Infinity,
    last: undefined,
    writeError: undefined,
    writing: undefined,
    lines: new Map(),
  };
  const { ring, sampler } = state;
  for (const sample of state.earlier?.samples ?? []) ring.add(sample);
  return {
    tick: () => sample(state, () => sampler.read()),
    last: () => state.last,
    follow: (snapshot) => follow(state, snapshot),
    lines: (incident) => linesOf(state, incident),
    known: (incident) => knownLines(state, incident),
    recent: () => recent(state),
    async flush() {
      await state.writing;
      await writeNow(state);
    },
    grown: () => growthWithin(recent(state)),
    save(changes) {
      for (const incident of toRecord(changes)) save(state, incident);
    },
    async close() {
      sampler.close();
      await state.writing;
      await write(state);
    },
  };
}

function sample(state: State, read: () => FlightSample): void {
  const { clock, log } = state.system;
  state.sampledAt = clock.monotonic();
  state.last = undefined;
  try {
    state.last = read();
    state.ring.add(state.last);
  } catch (error) {
    log.debug(`The flight recorder cannot read: ${errorText(error)}`);
  }
  if (!state.writing && clock.monotonic() - state.writtenAt >= WRITE_EVERY_MS) void writeNow(state);
}

function writeNow(state: State): Promise<void> {
  state.writtenAt = state.system.clock.monotonic();
  return (state.writing = write(state).finally(() => (state.writing = undefined)));
}

function recent(state: State): FlightSample[] {
  return samplesUntil(state, state.system.clock.now());
}

/** The ten minutes up to there, and none from before a start of the server that came in between. */
function samplesUntil({ ring, system: { files, clock } }: State, until: number): FlightSample[] {
  const from = until - WINDOW_MS;
  const booted = bootedAt(files, clock.now()) ?? -Infinity;
  return ring.samples(until > booted ? Math.max(from, booted) : from, until);
}

async function write(state: State): Promise<void> {
  const { path, ring, about, system } = state;
  if (about.memoryTotalBytes === 0) return;
  try {
    await replaceBehind(path, ring.encode(about), 0o600);
    state.writeError = undefined;
  } catch (error) {
    const why = errorText(error);
    if (why !== state.writeError) system.log.warn(`The flight recorder cannot write ${path}: ${why}`);
    state.writeError = why;
  }
}

function follow(state: State, snapshot: Snapshot): void {
  const { sampler, system } = state;
  const { host, docker } = snapshot.readings;
  if (host.state === 'ok') {
    const { bootId, memory, swap } = host.value;
    state.about = { bootId, memoryTotalBytes: memory.totalBytes, swapTotalBytes: swap.totalBytes };
  }
  const running =
    docker.state === 'ok' ? docker.value.containers.filter((one) => one.state === 'running') : [];
  const largest = largestFirst(running).slice(0, RING_CONTAINERS);
  if (docker.state === 'ok') sampler.follow(largest);
  // Checks that follow each other more closely do not make the ring shorter than its ten minutes.
  if (system.clock.monotonic() - state.sampledAt < 0.9 * SAMPLE_EVERY_MS) return;
  // While Docker does not answer, the containers that were running are read from their cgroups.
  const hasAll = docker.state !== 'failed' || !sampler.follows();
  const isFresh = snapshot.tookMs < FRESH_MS && hasAll;
  sample(state, () => (isFresh && sampleOf(snapshot, largest)) || sampler.read());
}

/** The ten minutes up to the moment that an incident is about. */
function recordingFor(state: State, incident: Incident): Recording | undefined {
  const until = momentOf(state, incident);
  const samples = until === undefined ? [] : samplesUntil(state, until);
  if (samples.length === 0) return undefined;
  const isReboot = incident.rule === 'unclean-reboot';
  return { ...((isReboot && state.earlier) || state.about), samples };
}

function momentOf({ earlier, system }: State, incident: Incident): number | undefined {
  // Nothing was recorded between the last sample of the monitor before this one and the reboot.
  if (incident.rule === 'unclean-reboot') return earlier?.samples.at(-1)?.at;
  const now = system.clock.now();
  // What happened while the monitor was away is reported late.
  return isMoment(incident) ? Math.min(incident.openedAt + SAMPLE_EVERY_MS, now) : now;
}

function knownLines({ lines, db }: State, incident: Incident): string[] {
  if (!isRecorded(incident)) return [];
  let found = lines.get(incident.id);
  if (!found) {
    if (lines.size > 100) lines.clear();
    lines.set(incident.id, (found = recordingOf(db, incident.id)?.lines ?? []));
  }
  return found;
}

function linesOf(state: State, incident: Incident): string[] {
  const before = knownLines(state, incident);
  const recording = before.length > 0 || !isRecorded(incident) ? undefined : recordingFor(state, incident);
  if (!recording) return before;
  const found = essenceOf(recording, incident.subject);
  state.lines.set(incident.id, found);
  return found;
}

function save(state: State, incident: Incident): void {
  const { db, system } = state;
  try {
    const recording = recordingFor(state, incident);
    if (!recording) return;
    const { samples, ...about } = recording;
    const part = createRing();
    for (const one of samples) part.add(one);
    saveRecording(db, incident, system.clock.now(), linesOf(state, incident), part.encode(about));
  } catch (error) {
    system.log.warn(`The minutes before incident ${incident.id} cannot be saved: ${errorText(error)}`);
  }
}

/**
 * For another process than the monitor's: the last ten minutes as far as they were written down, from the start of the server (`bootedAt`,
 * epoch ms) on; none where that cannot be read.
 */
export function recentSamples(stateDir: string, now: number, bootedAt = -Infinity): FlightSample[] {
  try {
    const recording = decodeRecording(readBytes(join(stateDir, FILE), MAX_ENCODED_BYTES));
    const from = Math.max(now - WINDOW_MS, bootedAt);
    return recording?.samples.filter(({ at }) => at >= from && at <= now) ?? [];
  } catch {
    return [];
  }
}

/** A file that is damaged is set aside, and watching begins anew. */
function readEarlier(path: string, log: { warn(text: string): void }): Recording | undefined {
  let bytes: Buffer;
  try {
    bytes = readBytes(path, MAX_ENCODED_BYTES);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log.warn(`The minutes before the start cannot be read from ${path}: ${errorText(error)}`);
    return undefined;
  }
  const recording = decodeRecording(bytes);
  if (recording) return recording;
  const aside = setAside(path);
  log.warn(
    `The minutes before the start are lost: ${path} is damaged${aside ? ` and was set aside as ${aside}` : ''}`,
  );
  return undefined;
}
