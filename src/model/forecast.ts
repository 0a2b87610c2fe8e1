/** What a forecast is about. `memory` is the host's memory and swap together, where it has swap. */
export type ForecastKind = 'memory' | 'container' | 'disk' | 'inodes' | 'connections' | 'redis';

/** One subject whose use is followed; amounts in bytes, in percent (inodes) or as a count (connections). */
export type Forecast = {
  kind: ForecastKind;
  /** Of its incident: `host`, a container, a mount, ... Not escaped. */
  subject: string;
  /** Compose service of a container. */
  alias?: string;
  used: number;
  capacity: number;
  /** The part of a container's capacity that is swap, which it may use beyond its limit. */
  swapBytes?: number;
  /** Of the host: it has none. */
  withoutSwap?: true;
  /** Of the host: what its containers hold has not been seen yet, since the monitor started a few minutes ago. */
  beforeContainers?: true;
  /** Of how many hours values are known, at most a week. */
  knownHours: number;
  /** Growth that is announced; absent where there is none that can be trusted. Epoch ms. */
  growth?: Growth;
  /** Growth that is seen and not (yet) announced, in units an hour. */
  maybePerHour?: number;
  culprit?: Culprit;
};

export type Growth = {
  perHour: number;
  /** Epoch ms. */
  since: number;
  fullAt: number;
  severity: 'warning' | 'critical';
  /** How many windows (8, 12 and 20 hours) agree. */
  agreeing: number;
};

/** One container that grows: bytes an hour, and bytes that it holds. */
export type Grower = { name: string; perHour: number; bytes: number };

/** Whose growth fills the host. Rates are bytes an hour; times epoch ms. */
export type Culprit =
  | ({
      kind: 'container';
      since: number;
      image: string;
      limitBytes: number | null;
      /** The start of the container with which its growth began. */
      startedAt?: number;
      /** Others that grow by half as much or more. */
      others: Grower[];
    } & Grower)
  | { kind: 'many'; perHour: number; count: number; largest: Grower[] }
  | { kind: 'outside'; perHour: number; since: number; processes: { name: string; bytes: number }[] };
