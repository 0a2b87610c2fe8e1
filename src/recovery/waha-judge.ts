import type { Config } from '../config/schema.ts';
import type { WahaSession } from '../model/snapshot.ts';
import { formatDuration, plain } from '../model/text.ts';
import { needsPerson } from '../model/waha.ts';

/** Two runs of the timer are not exactly five minutes apart. */
const TOLERANCE_MS = 10_000;
/** A session that has only just begun to start (the code was scanned) gets this long, however long it has not worked. */
const YOUNG_MS = 2 * 60_000;

export type Stuck = {
  session: WahaSession;
  why: string;
  /** It works, and nothing was sent for long. */ idle?: true;
};

/** Why something should be done about this session; undefined: nothing. */
export function judgeSession(session: WahaSession, config: Config, now: number): Stuck | undefined {
  const { WAHA_WARNING_MINUTES, WAHA_CRITICAL_MINUTES } = config.settings;
  const { status, since, notWorkingSince } = session;
  if (status === 'STOPPED') return undefined; // Somebody stopped it: that is their choice.
  if (status === 'WORKING') return judgeIdle(session, config, now);
  const name = plain(session.name, 60);
  const heldMs = Math.max(0, now - since);
  const awayMs = Math.max(heldMs, now - (notWorkingSince ?? since));
  const soon = status === 'FAILED' || status === 'STARTING' || needsPerson(status);
  if (soon && heldMs >= WAHA_WARNING_MINUTES * 60_000 - TOLERANCE_MS)
    return { session, why: `session ${name} has been ${plain(status, 40)} for ${formatDuration(heldMs)}` };
  const starts = status === 'STARTING' && heldMs < YOUNG_MS;
  if (awayMs >= WAHA_CRITICAL_MINUTES * 60_000 - TOLERANCE_MS && !starts)
    return {
      session,
      why: `session ${name} has not worked for ${formatDuration(awayMs)}; it is ${plain(status, 40)} now`,
    };
  return undefined;
}

/** Only outgoing messages count as activity, so an old value does not mean stuck: switched on by hand only. */
function judgeIdle(session: WahaSession, config: Config, now: number): Stuck | undefined {
  const { restartIdleWaha, wahaIdleMinutes } = config.extra.recovery;
  if (!restartIdleWaha || session.lastActivity === undefined) return undefined;
  const idleMs = now - session.lastActivity;
  if (idleMs < wahaIdleMinutes * 60_000) return undefined;
  return {
    session,
    why: `session ${plain(session.name, 60)} has sent nothing for ${formatDuration(idleMs)}`,
    idle: true,
  };
}
