import { formatCount, formatMany, formatDuration } from '../model/text.ts';
import { adviceFor } from '../notify/advice.ts';
import type { DeliveryState } from '../notify/state.ts';
import { failed, ok, warning, type Line } from './types.ts';

/** A message may wait this long without anything being wrong: it is being sent. */
const PATIENCE_MS = 60_000;

export function judgeDelivery(state: DeliveryState, now: number): Line {
  const name = 'messages';
  const waiting = formatMany(state.waiting, 'message waits', 'messages wait');
  if (!state.configured)
    return warning(
      name,
      'Telegram is not set up: alerts go to the log and to alert_history.log only',
      'run `vpsmon setup`',
    );
  if (state.refused)
    return failed(name, `Telegram refuses: ${state.refused}; ${waiting}`, refusalAdvice(state.refused));
  const age = state.oldestWaitingAt === undefined ? 0 : now - state.oldestWaitingAt;
  if (state.waiting > 0 && age > PATIENCE_MS)
    return warning(
      name,
      `${waiting}, the oldest for ${formatDuration(age)}${state.failing ? `: ${state.failing}` : ''}`,
      'they are sent by themselves when Telegram can be reached again; `vpsmon telegram test` tries it now',
    );
  const where = state.chat ? ` to "${state.chat.title}"` : '';
  return ok(
    name,
    `${formatCount(state.sentTotal)} sent${where}, ${state.waiting === 0 ? 'none waiting' : waiting}`,
  );
}

/** What to do about a refusal of Telegram, as the lines of doctor write it. */
export function refusalAdvice(refusal: string): string {
  const advice = adviceFor(refusal);
  return `${advice.charAt(0).toLowerCase()}${advice.slice(1).replace(/\.$/, '')}`;
}
