import { createForecasts, Saved } from '../forecast/watch.ts';
import type { Config } from '../config/schema.ts';
import type { Forecast } from '../model/forecast.ts';
import type { Snapshot } from '../model/sources.ts';
import type { Db } from '../store/db.ts';
import type { History } from '../store/history/history.ts';
import { recall } from '../store/memory.ts';
import { largestProcesses } from '../system/processes.ts';
import type { Files } from '../system/types.ts';

/** What the monitor's own code says of the history that was kept: everything that is followed, announced or not. */
export function forecastsOf(deps: {
  db: Db;
  history: History;
  config: Config;
  files: Files;
  snapshot: Snapshot;
}): Forecast[] {
  const { db, history, config, files, snapshot } = deps;
  const { FORECAST_WARNING_HOURS, FORECAST_CRITICAL_HOURS } = config.settings;
  const forecasts = createForecasts({
    limits: { warning: FORECAST_WARNING_HOURS, critical: FORECAST_CRITICAL_HOURS },
    quarters: history.quarters,
    recall: () => recall(db, 'forecasts', Saved) ?? {},
    save: () => {}, // Only the monitor does.
    processes: () => largestProcesses(files, 3),
  });
  forecasts.add(snapshot);
  return forecasts.all(snapshot.at);
}
