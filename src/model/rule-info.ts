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
  /** Its events about one container are a series: counted, and sent as one that goes on, and one that is over. */
  series?: true;
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
