/** A series over some time. Times are epoch ms; values in the unit of the series. */
export type SeriesStats = {
  avg: number;
  min: number;
  minAt: number;
  peak: number;
  peakAt: number;
  first: number;
  last: number;
};
