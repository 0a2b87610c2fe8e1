import type * as v from 'valibot';
import type { Discovered } from '../model/targets.ts';
import type { Config } from '../config/schema.ts';
import type { Absent } from '../model/reading.ts';
import type { ContainerInfo } from '../model/snapshot.ts';
import type { Source, Values } from '../model/sources.ts';
import type { System } from '../system/types.ts';

/** One source. Keeps what it needs for rates between two reads. Throws where the source fails; `signal` aborts at the deadline. */
export type Collector<S extends Source> = {
  read(signal: AbortSignal): Promise<Values[S] | Absent>;
  close?(): Promise<void> | void;
};

export type CollectorDeps = {
  system: System;
  config: Config;
  /** Databases and applications found in settings or through Docker; cached, looked up again when a target fails. */
  discovered(signal: AbortSignal): Promise<Discovered>;
  /** A target did not answer: discovery looks for it anew. */
  rediscover(): void;
  /**
   * The container table: state, health, restarts, limits, pid, without memory and CPU. In the daemon it is kept current by
   * events; in one-shot commands it is a list and an inspect each. Throws when Docker cannot be reached. Array and entries are
   * new with every check and belong to it: the collector of Docker puts memory and CPU into them.
   */
  containers(signal: AbortSignal): Promise<ContainerInfo[]>;
  /** JSON that outlives the process (seen WAHA states, ...). */
  recall<T>(key: string, shape: v.GenericSchema<unknown, T>): T | undefined;
  remember(key: string, value: unknown): void;
};

export type CollectorFactory<S extends Source> = (deps: CollectorDeps) => Collector<S>;
