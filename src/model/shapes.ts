import * as v from 'valibot';

// What is checked of JSON that an earlier run, or another program, wrote.

/** Finite: a number of JSON may be too large for a date or a whole number. */
export const Finite = v.pipe(v.number(), v.finite());
/** Epoch ms that a Date can hold, so that it can be shown. */
export const EpochMs = v.pipe(v.number(), v.minValue(0), v.maxValue(8_640_000_000_000_000));

/** An object of which these fields are checked; further ones, of a newer version, are let through. */
export function loosely<T>(fields: v.ObjectEntries): v.GenericSchema<unknown, T> {
  return v.looseObject(fields) as v.GenericSchema<unknown> as v.GenericSchema<unknown, T>;
}
