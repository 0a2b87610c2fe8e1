/** All that is known of a source beside how it is read (src/collectors) and judged (src/rules). `V`: what a reading of it gives. */
export type SourceInfo<V, R extends Record<string, RuleInfo> = Record<string, RuleInfo>> = {
  /** What a message calls it. */
  name: string;
  /** The section of `export` in which its metrics are. */
  section: Section;
  /** The rules that judge it in every check. */
  rules: R;
  metrics: readonly Metric<V>[];
  /** Its row of `monitor --once`. */
  row: {
    /** Also named by the rules that mark the row. Ten letters at most: the width of the column. */
    label: string;
    /** What was read in few words; or rows of their own. */
    show(values: V): string | SourceRow[];
    /** No row where the source is absent. */
    mayBeAbsent?: true;
  };
  /** Hands out what is kept as history. No value where nothing was measured: a gap is a gap, never a zero. Called in every check. */
  history(values: V, put: Put): void;
};

/** `failed`: a reason to look. `marks`: what marks it instead of its label. */
export type SourceRow = { label: string; text: string; failed?: boolean; marks?: string };

/**
 * Takes one value of a check. The series is named `kind`, or `kind:subject`; the two come apart, so that no name is put together
 * for each value of each check. The step is the precision: a value is stored as a whole number of steps, which makes it
 * two or three bytes instead of eight. Memory is counted in pages by the kernel, so nothing is lost there.
 */
export type Put = (kind: string, step: number, value: number | undefined, subject?: string) => void;

export const BYTES = 4096;
export const PERCENT = 0.1;
export const COUNT = 1;
export const SECONDS = 1;

/** `source<EntropyValues>()({ ... })`: the type of its values is given, those of its rules are seen. */
export function source<V>() {
  return <const R extends Record<string, RuleInfo>>(info: SourceInfo<V, R>): SourceInfo<V, R> => info;
}

/** What `export SECTION` can be asked for; metrics about the monitor itself come with `all` only. */
export const SECTIONS = ['waha', 'n8n', 'leads', 'host', 'containers', 'postgres', 'redis'] as const;
export type Section = (typeof SECTIONS)[number];

/** A boolean is written as 1 or 0, and no sample where there is no value. */
export type MetricSample = { value: number | boolean | undefined; labels?: Record<string, string> };

/** One metric that is read from a `T`: the values of a source, or what is known of the monitor. */
export type Metric<T> = {
  /** Begins with `vpsmon_`, unless the scripts that vpsmon replaces had it: such a name stays as it was. */
  name: string;
  /** One sentence, with the unit. */
  help: string;
  /** Samples, or the one value of a metric without labels. `once`: read by a command, without a monitor that runs. */
  read(from: T, once: boolean): MetricSample[] | MetricSample['value'];
  labels: readonly string[];
};

export function metric<T>(
  name: string,
  help: string,
  read: Metric<T>['read'],
  labels: readonly string[] = [],
): Metric<T> {
  return { name, help, read, labels };
}

/**
 * All that is known of a rule beside its judgement. The manual's table, the names that `silence` knows, the plurals of the
 * messages, `mute` and the rows of the console are made from this.
 */
export type RuleInfo = {
  /** Behind its name in the manual's table. */
  about?: string;
  /** What opens an incident of each severity, and what ends it, for the manual. */
  warning?: string;
  critical?: string;
  ends: string;
  /** The settings that move its limits, in Markdown. */
  settings?: string;
  /**
   * Its findings come one by one, from Docker's events or a start. Absent: every check sees all its subjects, so one without a finding
   * is gone.
   */
  judged?: 'between';
  /** What several incidents are called together; `#` stands for how many. */
  many?: string;
  /** The change of a container that opens it, as `mute` in vpsmon.yaml names it. */
  mute?: 'stopped' | 'unhealthy' | 'malfunction';
  /** The row of `monitor --once` that it marks; absent: the row of its subject, or the one about Docker. */
  row?: string;
  /** The rule of recovery that acts on it. */
  recovery?: 'swap' | 'queue' | 'waha';
  /** When it counts as flapping; absent: `FLAPS`. */
  flap?: FlapPolicy;
  /** It ends when it was not seen for so long, ms. */
  quietMs?: number;
  /** What its subject is while it lasts: "down". */
  whileOn?: 'down' | 'unhealthy';
  /**
   * Its events about one container are a series: counted, and sent as one that goes on, and one that is over. What then is said of the
   * container, and of the events before.
   */
  series?: { over: string; before: string };
  /** It means that a series about the same container goes on, or ended the container. */
  ofSeries?: 'goes-on' | 'ended';
  /** An event that is sent once per cooldown of its container. */
  cooldown?: true;
  /** Its message is worth more than theirs about the same container: their repeats and ends are not sent beside its own. */
  inhibits?: readonly string[];
};

export type FlapPolicy = {
  /** More starts and ends than this within the window of the incidents' policy. */
  changes: number;
  /** It begins to flap with a start, never with an end. */
  atStart?: boolean;
  /** One that stays for so long after all is sent again, ms. */
  staysMs?: number;
};
