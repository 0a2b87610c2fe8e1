/** What the flight recorder keeps of one moment. Values that could not be read are absent. */
export type FlightSample = {
  /** Epoch ms. */
  at: number;
  availableBytes?: number;
  swapUsedBytes?: number;
  /** Over the time since the sample or the check before. */
  swapInKBps?: number;
  swapOutKBps?: number;
  /** Average of the last minute. */
  load?: number;
  /** Percent of the last 10 s in which some, and in which all tasks waited (PSI avg10). */
  memorySome?: number;
  memoryFull?: number;
  cpuSome?: number;
  ioSome?: number;
  /** Those that held most, largest first. */
  containers: FlightContainer[];
};
export type FlightContainer = {
  name: string;
  /** Anonymous memory and swap: what cannot be dropped. */
  heldBytes: number;
  /** What of it is in swap. */
  swapBytes: number;
  /** 100 = one CPU fully used, over the time since the sample or the check before. */
  cpuPercent?: number;
};
/** The minutes before something, oldest sample first. */
export type Recording = {
  bootId: string;
  memoryTotalBytes: number;
  swapTotalBytes: number;
  samples: FlightSample[];
};
