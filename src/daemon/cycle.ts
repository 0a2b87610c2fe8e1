import type { Finding } from '../model/finding.ts';
import type { Readings, Snapshot } from '../model/snapshot.ts';
import { judgeAll } from '../rules/judge.ts';
import { JUDGED_BY_CHECK } from '../model/rules.ts';
import type { House } from './types.ts';
import { judgeSelf } from './self.ts';

/**
 * One check, from the first read to the last write. This is the whole program:
 * collect, judge, advance incidents, save, deliver, remember.
 */
export async function runCycle(house: House): Promise<Snapshot> {
  const snapshot = await house.collectors.collect();
  house.forecasts.add(snapshot);
  const findings = [...judgeAll(snapshot, house.past(snapshot), house.config), ...judgeSelf(house)];
  house.recorder.save(house.pipeline.process(findings, { judged: JUDGED_BY_CHECK }));
  house.delivery.kick();
  house.refreshMessages();
  house.remember(snapshot);
  return snapshot;
}

/**
 * Between two checks, when the kernel has killed something: reads only the kernel's account of it and says so at once.
 * Rules that need the other sources wait for the next check.
 */
export async function runOomCheck(house: House): Promise<void> {
  const last = house.state.snapshot;
  if (!last || house.state.closed) return;
  const { readings } = await house.collectors.collect({ only: ['oom'] });
  const now = house.system.clock.now();
  const docker = freshContainers(house, last.readings.docker);
  const snapshot: Snapshot = { ...last, at: now, readings: { ...last.readings, docker, oom: readings.oom } };
  const kills = judgeAll(snapshot, house.past(snapshot), house.config).filter((f) => f.rule === 'oom-kill');
  say(house, kills);
}

/** Findings that did not come out of a full check: container changes, OOM kills, things about the monitor itself. */
export function say(house: House, findings: Finding[]): void {
  if (findings.length === 0 || house.state.closed) return;
  const changes = house.pipeline.process(findings, { judged: [] });
  house.recorder.save(changes);
  house.delivery.kick();
  house.refreshMessages(new Set(changes.map(({ incident }) => incident.id)));
}

/** The containers as the event stream shows them now, with the memory of the last check. */
function freshContainers(house: House, last: Readings['docker']): Readings['docker'] {
  if (!house.watcher.connected()) return last;
  const known = last.state === 'ok' ? last.value : { version: '', apiVersion: '', containers: [] };
  const memory = new Map(known.containers.map((container) => [container.id, container.memory]));
  const containers = house.watcher.containers().map((container) => {
    const held = memory.get(container.id);
    return held ? { ...container, memory: held } : container;
  });
  return { state: 'ok', tookMs: 0, value: { ...known, containers } };
}
