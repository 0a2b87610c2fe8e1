/**
 * What one look at a source gave. `absent` means "not here" and is never an alert; `failed` means "should be here and
 * could not be read" and becomes a warning after three checks in a row.
 */
export type Reading<T> =
  | { state: 'ok'; value: T; tookMs: number }
  | { state: 'absent'; why: string }
  | { state: 'failed'; why: string; tookMs: number };

/** What a collector returns when its source does not exist on this machine. */
export type Absent = { absent: string };

/** Says that a source is not here, with the reason as a person would read it. */
export function absent(why: string): Absent {
  return { absent: why };
}
