// How a container died while nobody watched, from the events that Docker still has.
import type { DockerEvent } from '../system/types.ts';
import { parseSignal, wasOom, wasRequested } from './cause.ts';
import { eventTime } from './table.ts';
import type { Death, Known } from './types.ts';

/** Its last death, from what it shows itself where no event tells of it. */
export function deathOf(known: Known, history: DockerEvent[]): Death {
  const { info } = known;
  return (
    lastDeath(known, history) ?? {
      id: info.id,
      name: info.name,
      at: info.finishedAt ?? info.startedAt ?? 0,
      exitCode: info.exitCode ?? 0,
      cause: info.oomKilled ? 'oom' : 'unseen',
      restartCount: info.restartCount,
      autoRemove: known.autoRemove,
    }
  );
}

/** The last death that Docker's events still tell of, with its reason. */
export function lastDeath(known: Known, history: DockerEvent[]): Death | undefined {
  const { info } = known;
  const seen: Known = { ...known };
  delete seen.kill;
  delete seen.oomAt;
  let death: Death | undefined;
  let startedAt: number | undefined;
  for (const event of history) {
    if (event.id !== info.id) continue;
    const at = eventTime(event);
    if (event.action === 'kill')
      seen.kill = {
        at,
        ...(known.shadowed?.includes('signal') ? {} : { signal: parseSignal(event.attributes['signal']) }),
      };
    if (event.action === 'stop' && death) death.cause = 'request';
    if (event.action === 'oom') seen.oomAt = at;
    if (event.action === 'start') {
      delete seen.kill;
      startedAt = at;
    }
    if (event.action !== 'die') continue;
    const hidden = known.shadowed?.includes('exitCode');
    const exitCode = hidden ? (info.exitCode ?? -1) : Number(event.attributes['exitCode'] ?? 0) || 0;
    const cause = wasRequested(seen, at, exitCode) ? 'request' : wasOom(seen, at) ? 'oom' : 'crash';
    death = {
      id: info.id,
      name: info.name,
      at,
      exitCode,
      cause,
      ...(cause === 'request' && seen.kill?.signal !== undefined ? { signal: seen.kill.signal } : {}),
      ...(startedAt !== undefined ? { startedAt } : {}),
      restartCount: info.restartCount,
      autoRemove: known.autoRemove,
    };
  }
  return death;
}
