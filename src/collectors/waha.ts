import * as v from 'valibot';
import { EpochMs } from '../model/shapes.ts';
import { withoutTarget } from './absent.ts';
import type { WahaSession } from '../model/snapshot.ts';
import { WAHA } from '../system/apps/request.ts';
import { Sessions, type Listed } from '../system/apps/waha.ts';
import { askJson } from './http-target.ts';
import type { Collector, CollectorDeps } from './types.ts';

const MEMORY_KEY = 'waha.since';
/** `away`: since when it has been in any status but WORKING, whichever; absent while it works or was stopped by somebody. */
const Place = v.object({ status: v.string(), since: EpochMs, away: v.exactOptional(EpochMs) });
type Place = v.InferOutput<typeof Place>;
const Since = v.record(v.string(), Place);
type Since = v.InferOutput<typeof Since>;

/** WhatsApp sessions. WAHA does not say since when one is in its state, so that is remembered from the first look on. */
export function createWaha(deps: CollectorDeps): Collector<'waha'> {
  return {
    async read(signal) {
      const found = await deps.discovered(signal);
      const { waha: target } = found;
      if (!target) return withoutTarget(found, 'waha');
      const { value, address } = await askJson(deps, { ...target, app: WAHA }, '/api/sessions?all=true', {
        schema: Sessions,
        signal,
      });
      const before = deps.recall(MEMORY_KEY, Since) ?? {};
      const { sessions, since, changed } = placeInTime(value, before, deps.system.clock.now());
      if (changed) deps.remember(MEMORY_KEY, since);
      return { address, sessions };
    },
  };
}

/** Each session with the time at which it was first seen in its present status. */
export function placeInTime(
  listed: Listed,
  before: Since,
  now: number,
): { sessions: WahaSession[]; since: Since; changed: boolean } {
  const entries = listed.map(({ name, status }): [string, Place] => {
    const old = Object.hasOwn(before, name) ? before[name] : undefined;
    // A clock that was set back must not leave a session in the future.
    const since = old?.status === status ? Math.min(old.since, now) : now;
    if (status === 'WORKING' || status === 'STOPPED') return [name, { status, since }];
    return [name, { status, since, away: Math.min(old?.away ?? since, since) }];
  });
  const since: Since = Object.fromEntries(entries);
  const sessions = listed.map(({ name, status, timestamps }) => {
    const activity = timestamps?.activity;
    const known = typeof activity === 'number' && Number.isFinite(activity) && activity > 0;
    return {
      name,
      status,
      since: since[name]?.since ?? now,
      ...(since[name]?.away === undefined ? {} : { notWorkingSince: since[name].away }),
      ...(known ? { lastActivity: activity } : {}),
    };
  });
  return { sessions, since, changed: JSON.stringify(since) !== JSON.stringify(before) };
}
