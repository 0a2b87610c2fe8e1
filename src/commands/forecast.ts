import { errorText } from '../model/text.ts';
import { forecastsToJson, renderForecasts } from '../outputs/terminal/forecast.ts';
import { createHistory } from '../store/history/history.ts';
import { openToLook } from '../store/look.ts';
import type { CommandContext } from './context.ts';
import { forecastsOf } from './forecast-data.ts';
import { giveUp, printJson } from './io.ts';

/** A check older than this says too little about now: the monitor does not run. */
const FRESH_MS = 30 * 60_000;

/** `vpsmon forecast`: what runs out when, and because of whom. Exit 0; 2 when the history cannot be read, or is not there. */
export async function forecast(context: CommandContext): Promise<number> {
  const { io, options, config, system } = context;
  const look = openToLook(config.stateDir);
  if (!('db' in look)) {
    const why =
      'refused' in look
        ? `${look.refused}. Another user's monitor? Try it with sudo, or name the folder with --state-dir.`
        : `${look.none}. A forecast needs the monitor to run for 8 hours: sudo vpsmon setup, or vpsmon monitor.`;
    return giveUp(io, why, 2);
  }
  try {
    const now = system.clock.now();
    const history = createHistory(look.db);
    const snapshot = history.latest(now, FRESH_MS);
    if (!snapshot)
      return giveUp(
        io,
        `the monitor has kept nothing for ${FRESH_MS / 60_000} minutes, so nothing can be said about now. \`vpsmon status\` says whether it runs.`,
        2,
      );
    const forecasts = forecastsOf({ db: look.db, history, config, files: system.files, snapshot });
    if (options.json) printJson(io, forecastsToJson(forecasts, snapshot.at));
    else io.out(renderForecasts({ forecasts, now: snapshot.at, ...io }));
    return 0;
  } catch (error) {
    return giveUp(io, `the history cannot be read: ${errorText(error)}`, 2);
  } finally {
    look.close();
  }
}
