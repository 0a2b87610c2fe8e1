import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createRecorder, recentSamples, SAMPLE_EVERY_MS, type Recorder } from '../../src/daemon/recorder.ts';
import type { Incident, IncidentChange } from '../../src/model/incident.ts';
import { decodeRecording, RING_CONTAINERS } from '../../src/recorder/ring.ts';
import { pruneIncidents, saveIncidents } from '../../src/store/incidents.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { recordingOf } from '../../src/store/recordings.ts';
import { incidentOf } from '../helpers/incident.ts';
import { recordedDeps } from '../helpers/recorded-host.ts';
import { containerInfo, snapshotOf } from '../helpers/snapshots.ts';

const HOST = join(import.meta.dirname, '../fixtures/hosts/debian-12-cgroup-v2');
const MB = 1_048_576;
const MINUTE = 60_000;
let dir: string;
let store: Store;
let host: ReturnType<typeof recordedDeps>;
let warnings: string[];
const opened: Recorder[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vpsmon-recorder-'));
  store = openStore(dir, 0);
  store.db.exec('PRAGMA synchronous = OFF');
  host = recordedDeps(HOST);
  warnings = [];
});
afterEach(async () => {
  for (const recorder of opened.splice(0)) await recorder.close();
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

function open(): Recorder {
  const log = {
    debug: () => {},
    info: () => {},
    warn: (text: string) => void warnings.push(text),
    error: () => {},
  };
  const system = { ...host.deps.system, log };
  const recorder = createRecorder({ system, db: store.db, stateDir: dir });
  opened.push(recorder);
  return recorder;
}

async function snapshot() {
  const containers = (await host.deps.containers(new AbortController().signal)).map((container) => ({
    ...container,
    memory: { workingSetBytes: MB, anonBytes: MB },
  }));
  return { ...snapshotOf(host.clock.now(), { containers }) };
}
/** Samples for so long, as the loop takes them. */
function runs(recorder: Recorder, ms: number): void {
  for (let passed = 0; passed < ms; passed += SAMPLE_EVERY_MS) {
    host.clock.move(SAMPLE_EVERY_MS);
    recorder.tick();
  }
}
let nextId = 1;
function happens(values: Partial<Incident>): IncidentChange {
  const made = incidentOf({
    id: nextId++,
    rule: 'oom-kill',
    subject: 'shop-n8n-1',
    severity: 'critical',
    state: 'resolved',
    event: true,
    openedAt: host.clock.now(),
    resolvedAt: host.clock.now(),
    ...values,
  });
  saveIncidents(store.db, [made]);
  return { incident: made, kind: 'event' };
}
const saved = (id: number) => {
  const stored = recordingOf(store.db, id);
  return stored && { ...stored, recording: decodeRecording(stored.data)! };
};

describe('the flight recorder', () => {
  it('keeps ten minutes of the host and of its largest containers, swap included, with the incident', async () => {
    const recorder = open();
    recorder.follow(await snapshot());
    runs(recorder, 12 * MINUTE);
    const change = happens({});
    const lines = recorder.lines(change.incident);
    recorder.save([change]);
    const { recording, lines: told } = saved(change.incident.id)!;
    expect(told).toEqual(lines);
    expect(lines[0]).toBe(
      'Before: shop-n8n-1 334 MB + 468 MB swap, shop-postgres-1 57 MB + 18 MB swap; 145 MB of 2 GB were available',
    );
    expect(lines[2]).toMatch(/^Waiting for \(last minute\): memory 13 %, disk 22 %, CPU 3 %; load 0.5$/);
    const { samples } = recording;
    expect(samples.at(-1)!.at).toBe(host.clock.now());
    expect(samples.at(-1)!.at - samples[0]!.at).toBe(10 * MINUTE);
    expect(samples).toHaveLength((10 * MINUTE) / SAMPLE_EVERY_MS + 1);
    expect(samples[0]!.containers[0]).toMatchObject({ name: 'shop-n8n-1', swapBytes: 490_733_568 });
    expect(samples.at(-1)).toMatchObject({ swapInKBps: 0, memorySome: 12.5, memoryFull: 9 });
  });

  it('is written once a minute, for the owner alone, and goes on where the monitor before was killed', async () => {
    const killed = open();
    killed.follow(await snapshot());
    runs(killed, 5 * MINUTE);
    const path = join(dir, 'recorder.bin');
    // It is written without anybody waiting for the disk.
    await vi.waitFor(() => expect(decodeRecording(readFileSync(path))).toBeDefined(), 400_000);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const last = decodeRecording(readFileSync(path))!.samples.at(-1)!.at;
    expect(host.clock.now() - last).toBeLessThanOrEqual(5 * MINUTE);
    // Killed: nothing more is written. The next one starts half a minute later.
    host.clock.move(30_000);
    const next = open();
    next.follow(await snapshot());
    runs(next, MINUTE);
    const change = happens({});
    next.save([change]);
    const { samples } = saved(change.incident.id)!.recording;
    expect(samples.length).toBeGreaterThan(12);
    expect(samples[0]!.at).toBeLessThan(host.clock.now() - 90_000);
    expect(warnings).toEqual([]);
  });

  it('is written at once for a recovery that starts, which reads the last ten minutes of it, or nothing', async () => {
    const recorder = open();
    recorder.follow(await snapshot());
    runs(recorder, 12 * MINUTE);
    expect(recentSamples(dir, host.clock.now() + 1).at(-1)?.at).not.toBe(host.clock.now());
    await recorder.flush();
    const read = recentSamples(dir, host.clock.now());
    expect(read).toEqual(recorder.recent());
    expect([read.at(-1)?.at, read[0]?.at]).toEqual([host.clock.now(), host.clock.now() - 10 * MINUTE]);
    expect(recentSamples(dir, host.clock.now() + 30 * MINUTE)).toEqual([]);
    expect(recentSamples(join(dir, 'nowhere'), host.clock.now())).toEqual([]);
    truncateSync(join(dir, 'recorder.bin'), 1000);
    expect(recentSamples(dir, host.clock.now())).toEqual([]);
  });

  it('a file that is damaged is set aside with a word, and watching begins anew', async () => {
    const before = open();
    before.follow(await snapshot());
    runs(before, MINUTE);
    await before.close();
    const path = join(dir, 'recorder.bin');
    truncateSync(path, statSync(path).size - 10);
    open();
    expect(warnings).toEqual([
      expect.stringMatching(/recorder\.bin is damaged and was set aside as .*\.corrupt$/),
    ]);
    expect(existsSync(`${path}.corrupt`)).toBe(true);
    expect(existsSync(path)).toBe(false);
  });

  it('after an unclean reboot, the minutes before it are those of the monitor before', async () => {
    const before = open();
    before.follow(await snapshot());
    runs(before, 3 * MINUTE);
    const wentDown = host.clock.now();
    await before.close();
    host.clock.move(40 * MINUTE);
    const after = open();
    after.follow(await snapshot());
    runs(after, 10_000);
    const change = happens({ rule: 'unclean-reboot', subject: 'host' });
    expect(after.lines(change.incident)[0]).toMatch(/^Before: shop-n8n-1 334 MB/);
    after.save([change]);
    const { samples } = saved(change.incident.id)!.recording;
    expect(samples.at(-1)!.at).toBe(wentDown);
    // What happens after it has its own minutes only.
    const other = happens({});
    after.save([other]);
    expect(saved(other.incident.id)!.recording.samples.map(({ at }) => at)[0]).toBeGreaterThan(wentDown);
  });

  /** The server was started then: its uptime runs from there. */
  function startedAt(at: number): void {
    const { files } = host.deps.system;
    const textOr = files.textOr.bind(files);
    vi.spyOn(files, 'textOr').mockImplementation((path) =>
      path === '/proc/uptime' ? `${((host.clock.now() - at) / 1000).toFixed(2)} 9.00` : textOr(path),
    );
  }

  it('soon after a reboot, has no minutes from before it', async () => {
    const before = open();
    before.follow(await snapshot());
    runs(before, 5 * MINUTE);
    const wentDown = host.clock.now();
    await before.close();
    host.clock.move(MINUTE);
    const bootedAt = host.clock.now() - 20_000;
    startedAt(bootedAt);
    const after = open();
    const containers = [containerInfo('web')];
    after.follow(snapshotOf(host.clock.now(), { containers, uptimeSec: 20 }));
    runs(after, 2 * MINUTE);
    const late = happens({ openedAt: wentDown - MINUTE });
    const died = happens({});
    after.save([late, died]);
    const times = (change: IncidentChange) =>
      saved(change.incident.id)!.recording.samples.map(({ at }) => at);
    expect(times(died)[0]).toBeGreaterThan(bootedAt);
    expect(after.lines(died.incident)[1]).toMatch(/^In the 2 min before/);
    expect(times(late).at(-1)).toBeLessThan(wentDown);
    expect(after.recent()[0]!.at).toBeGreaterThan(bootedAt);
  });

  it('knows before its first check that the server was started meanwhile', async () => {
    const before = open();
    before.follow(await snapshot());
    runs(before, 5 * MINUTE);
    await before.close();
    host.clock.move(MINUTE);
    startedAt(host.clock.now() - 20_000);
    const after = open();
    const change = happens({});
    after.save([change]);
    expect(saved(change.incident.id)).toBeUndefined();
  });

  it('knows before its first check how much memory there is, from the monitor before', async () => {
    const before = open();
    before.follow(await snapshot());
    runs(before, 3 * MINUTE);
    await before.close();
    host.clock.move(10_000);
    const after = open();
    const change = happens({ rule: 'memory-available', subject: 'host', event: false, state: 'firing' });
    expect(after.lines(change.incident)[0]).toMatch(/145 MB of 2 GB were available$/);
    after.save([change]);
    expect(saved(change.incident.id)!.recording.memoryTotalBytes).toBeGreaterThan(0);
  });

  it('states nothing of 0 bytes where only what is available is known', () => {
    const recorder = open();
    runs(recorder, MINUTE);
    const { incident } = happens({});
    expect(recorder.lines(incident)[0]).toMatch(/^Before: 145 MB were available$/);
  });

  it('what the first message said is known after a restart, and never made up later', async () => {
    const recorder = open();
    recorder.follow(await snapshot());
    runs(recorder, MINUTE);
    const change = happens({});
    const lines = recorder.lines(change.incident);
    recorder.save([change]);
    const old = happens({ openedAt: host.clock.now() - 3_600_000 });
    const next = open();
    next.follow(await snapshot());
    runs(next, 10_000);
    expect(next.known(change.incident)).toEqual(lines);
    expect(next.known(old.incident)).toEqual([]);
    expect(next.lines(old.incident)).toEqual([]);
  });

  it('saves no minutes with what is not recorded, and nothing where there are none', async () => {
    const recorder = open();
    const early = happens({});
    recorder.save([early]);
    expect(recorder.lines(early.incident)).toEqual([]);
    expect(saved(early.incident.id)).toBeUndefined();
    recorder.follow(await snapshot());
    runs(recorder, MINUTE);
    const asked = happens({ rule: 'container-stopped', severity: 'warning' });
    const still = { ...happens({}), kind: 'still' as const };
    recorder.save([asked, still]);
    expect(saved(asked.incident.id)).toBeUndefined();
    expect(saved(still.incident.id)).toBeUndefined();
  });

  it('keeps a bounded number, and none without its incident', async () => {
    const recorder = open();
    recorder.follow(await snapshot());
    runs(recorder, 10_000);
    const first = happens({ subject: 'rare' });
    recorder.save([first]);
    // One that dies again and again does not push it out.
    for (let i = 0; i < 200; i += 1) recorder.save([happens({ subject: 'looping' })]);
    const count = () => (store.db.prepare('SELECT count(*) AS n FROM recordings').get() as { n: number }).n;
    expect(count()).toBe(6);
    for (let i = 0; i < 100; i += 1) recorder.save([happens({ subject: `job-${i}` })]);
    expect(count()).toBeLessThanOrEqual(61);
    pruneIncidents(store.db, host.clock.now() + 91 * 86_400_000);
    expect(count()).toBe(0);
  });

  it('takes what a check read for a sample, and reads nothing for it', async () => {
    const recorder = open();
    const containers = [
      containerInfo('shop-n8n-1', {
        state: 'running',
        cpuPercent: 12.5,
        memory: { workingSetBytes: 9 * MB, anonBytes: 7 * MB, swapBytes: 2 * MB },
      }),
    ];
    for (let i = 0; i < 12; i += 1) {
      recorder.follow(snapshotOf(host.clock.now(), { containers }));
      host.clock.move(1000);
      // Between two checks that follow closely, the ring does not fill up.
      recorder.follow(snapshotOf(host.clock.now(), { containers }));
      host.clock.move(9000);
    }
    const change = happens({});
    recorder.save([change]);
    const { samples } = saved(change.incident.id)!.recording;
    expect(samples).toHaveLength(12);
    expect(samples[0]).toMatchObject({
      containers: [{ name: 'shop-n8n-1', heldBytes: 9 * MB, swapBytes: 2 * MB, cpuPercent: 12.5 }],
    });
  });

  it('reads anew after a check that took long, or did not get through to Docker', async () => {
    const recorder = open();
    const good = await snapshot();
    recorder.follow(good);
    host.clock.move(SAMPLE_EVERY_MS);
    recorder.follow({ ...good, at: 1, tookMs: 4000 });
    host.clock.move(SAMPLE_EVERY_MS);
    const failed = { state: 'failed' as const, why: 'no answer', tookMs: 1 };
    recorder.follow({ ...good, at: 1, readings: { ...good.readings, docker: failed } });
    const change = happens({});
    recorder.save([change]);
    const { samples } = saved(change.incident.id)!.recording;
    expect(samples.map(({ at }) => host.clock.now() - at)).toEqual([10_000, 5000, 0]);
    expect(samples[1]!.availableBytes).toBe(samples[2]!.availableBytes);
    expect(samples[2]!.containers[0]).toMatchObject({ name: 'shop-n8n-1' });
  });

  it('samples the largest twelve of 500 containers', () => {
    const recorder = open();
    const containers = Array.from({ length: 500 }, (_, i) =>
      containerInfo(`c${i}`, {
        pid: 100_000 + i,
        memory: { workingSetBytes: i * MB, anonBytes: i * MB, swapBytes: 0 },
      }),
    );
    recorder.follow(snapshotOf(host.clock.now(), { containers }));
    runs(recorder, 10_000);
    const change = happens({ subject: 'host' });
    recorder.save([change]);
    const names = saved(change.incident.id)!
      .recording.samples.at(-1)!
      .containers.map(({ name }) => name);
    expect(names).toHaveLength(RING_CONTAINERS);
    expect(names.slice(0, 2)).toEqual(['c499', 'c498']);
  });
});
