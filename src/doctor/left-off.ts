import { LEFT_OFF_KINDS, leftOffDetails, leftOffText, type LeftOff } from '../model/left-off.ts';
import { errorText } from '../model/text.ts';
import { failed, ok, warning, type Line } from './types.ts';

/** What recovery has switched off and not brought back, a line for each kind; a good line where there is nothing. */
export function judgeLeftOff(read: () => readonly LeftOff[], now: number): Line[] {
  let left: readonly LeftOff[];
  try {
    left = read();
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'EACCES' || code === 'EPERM')
      return [
        warning(
          'left off',
          'what recovery has stopped or paused may not be read by this user',
          'run it with sudo',
        ),
      ];
    return [
      failed(
        'left off',
        `what recovery has stopped or paused cannot be read: ${errorText(error)}`,
        'run it with sudo; else look at `docker ps -a`, at the workflows in n8n and at recovery.log',
      ),
    ];
  }
  const lines = LEFT_OFF_KINDS.flatMap((kind): Line[] => {
    const text = leftOffText(left, kind, now);
    if (text === undefined) return [];
    const details = leftOffDetails(left, kind);
    if (kind === 'limit') return [ok('left off', text)];
    return [warning('left off', [text, ...details.slice(0, -1)].join('. '), details.at(-1) ?? '')];
  });
  return lines.length > 0 ? lines : [ok('left off', 'recovery has left nothing stopped or paused')];
}
