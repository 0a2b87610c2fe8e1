import type { openCollectors } from '../checks/collect.ts';
import type { Config } from '../config/schema.ts';
import type { createWatcher } from '../containers/watcher.ts';
import type { createPipeline } from '../incidents/pipeline.ts';
import type { Snapshot, Source } from '../model/sources.ts';
import type { createDelivery } from '../notify/delivery.ts';
import type { Outbox } from '../store/outbox.ts';
import type { Past } from '../rules/types.ts';
import type { Forecasts } from '../forecast/watch.ts';
import type { createHistory } from '../store/history/history.ts';
import type { Store } from '../store/open.ts';
import type { System } from '../system/types.ts';
import type { Recorder } from './recorder.ts';
import type { LastAlive } from './reboot.ts';

/** What the loop remembers between two checks. */
export type DaemonState = {
  startedMonotonic: number;
  checks: number;
  snapshot?: Snapshot;
  lastTookMs?: number;
  lastCheckMonotonic?: number;
  /** When history and the sign of life were written. */
  savedMonotonic?: number;
  /** Why the last save failed: a full disk, as a rule. */
  saveError?: string;
  /** What happened to the state folder, as one sentence, and until when (monotonic) that is worth a warning. */
  folderNews?: { text: string; until: number };
  /** The state folder is gone and cannot be made anew: why. */
  folderError?: string;
  /** Why nothing listens at HTTP_LISTEN, where something should. */
  httpError?: string;
  /** Where the settings have mistakes that a reload has read: `monitor.conf:12 KEY`. */
  badSettings?: string;
  /** The store is closed: nothing may touch it any more. */
  closed: boolean;
  stopping?: true;
  failedInARow: Partial<Record<Source, number>>;
};

export type Monitor = {
  config: Config;
  system: System;
  store: Store;
  state: DaemonState;
  collectors: ReturnType<typeof openCollectors>;
  watcher: ReturnType<typeof createWatcher>;
  pipeline: ReturnType<typeof createPipeline>;
  delivery: ReturnType<typeof createDelivery>;
  outbox: Outbox;
  history: ReturnType<typeof createHistory>;
  forecasts: Forecasts;
  recorder: Recorder;
  past(snapshot: Snapshot): Past;
  remember(snapshot: Snapshot): void;
  /** Has delivery edit the messages of these incidents, or of all, where they show something else than what is. */
  refreshMessages(ids?: ReadonlySet<number>): void;
  /** What was last seen by the monitor before this one. */
  lastAlive?: LastAlive;
  /** It was asked to stop: kept at once, for what follows may take longer than it is given. */
  stopping(): void;
  close(): Promise<void>;
};
