/**
 * Turns counters that only grow into amounts a second, on a clock that never jumps. Undefined at the first reading, when
 * no time has passed, and when the counter went back (another machine was restored under the program).
 */
export function createRate(): (value: number | undefined, monotonicMs: number) => number | undefined {
  let last: { value: number; at: number } | undefined;
  return (value, at) => {
    const before = last;
    last = value === undefined ? undefined : { value, at };
    if (value === undefined || !before || at <= before.at || value < before.value) return undefined;
    return ((value - before.value) * 1000) / (at - before.at);
  };
}
