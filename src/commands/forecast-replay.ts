import { parseSamples, replay, type Replay } from '../forecast/replay.ts';
import { errorText, formatBytes, formatDuration, formatTime, isoTime, plain } from '../model/text.ts';
import { wrapBehind } from '../outputs/terminal/style.ts';
import { readTextFile } from '../system/read-file.ts';
import type { GlobalOptions, Io } from './context.ts';
import { giveUp, printJson } from './io.ts';

/** A year of one-minute samples is 15 MB. */
const MOST_BYTES = 64 * 1_048_576;

export type ForecastOptions = GlobalOptions & { replay?: string; capacity?: string };

/**
 * `vpsmon forecast --replay FILE.csv --capacity BYTES`: what the monitor would have announced of a recorded series. Needs no
 * configuration. Exit 0; 3 for a bad option, a file that cannot be read, or a line that is none.
 */
export function forecastReplay(options: ForecastOptions, io: Io): number {
  if (options.replay === undefined || options.replay.trim() === '' || options.capacity === undefined)
    return giveUp(
      io,
      '`forecast` expects --replay FILE.csv, the name of a file, and --capacity BYTES, the amount at which it is full.',
    );
  const capacity = /^\d+(\.\d+)?(e\d{1,2})?$/i.test(options.capacity) ? Number(options.capacity) : Number.NaN;
  if (!(capacity > 0 && capacity <= Number.MAX_SAFE_INTEGER))
    return giveUp(
      io,
      `--capacity expects a number of bytes above 0, like 2147483648, not \`${plain(options.capacity, 40)}\`.`,
    );
  const name = plain(options.replay, 200);
  let text: string;
  try {
    text = readTextFile(options.replay, MOST_BYTES).text;
  } catch (error) {
    return giveUp(io, `${name} ${errorText(error)}. --replay expects a CSV file of \`timestamp,value\`.`);
  }
  let result: Replay;
  try {
    result = replay(parseSamples(text, name), capacity);
  } catch (error) {
    return giveUp(io, `${errorText(error, 600)}.`);
  }
  if (result.samples === 0)
    return giveUp(
      io,
      `${name} holds no samples; expected lines of \`timestamp,value\`, like \`1767225600,1073741824\`.`,
    );
  if (options.json) printJson(io, toJson(result));
  else io.out(render(result, io.wrapAt));
  return 0;
}

function toJson({ announcements, forecasts }: Replay): object {
  return {
    announcements: announcements.map(({ at, fullAt, severity, perHour, endedAt }) => ({
      at: isoTime(at),
      full_at: isoTime(fullAt),
      severity,
      rate_bytes_per_hour: Math.round(perHour * 1000) / 1000,
      ...(endedAt === undefined ? {} : { ended_at: isoTime(endedAt) }),
    })),
    forecasts: forecasts.map(({ at, fullAt }) => ({ at: isoTime(at), full_at: isoTime(fullAt) })),
  };
}

function render({ samples, announcements }: Replay, wrapAt: number | undefined): string {
  if (announcements.length === 0) return `Nothing to announce in ${samples} samples.`;
  const lines = announcements.flatMap(({ at, fullAt, severity, perHour, endedAt }) => {
    const end = endedAt === undefined ? '' : `; over at ${formatTime(endedAt)}`;
    const text = `${severity}: grows ${formatBytes(perHour)} an hour, full in ${formatDuration(fullAt - at)} (${formatTime(fullAt)})${end}`;
    return wrapBehind(`${formatTime(at)}  `, text, wrapAt);
  });
  return lines.join('\n');
}
