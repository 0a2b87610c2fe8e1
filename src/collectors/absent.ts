import { absent, type Absent } from '../model/reading.ts';
import type { Source } from '../model/sources.ts';
import type { Discovered } from '../model/targets.ts';
import type { Collector, CollectorFactory } from './types.ts';

const NOT_FOUND = {
  postgres: 'no PostgreSQL was found',
  redis: 'no Redis was found',
  n8n: 'no n8n was found',
  waha: 'no WAHA was found',
} as const;
type Kind = keyof typeof NOT_FOUND;

/** What a collector returns without a target: it is not here; or it is, and cannot be read, which is a failure. */
export function withoutTarget({ missing, unreadable = [] }: Discovered, kind: Kind): Absent {
  const why = missing[kind] ?? NOT_FOUND[kind];
  if (unreadable.includes(kind)) throw new Error(`it is here, and not watched: ${why}`);
  return absent(why);
}

/** A source that asks one of these kinds of targets. Its code is loaded when there is one: together they take 0.5 MB. */
export function whenFound<S extends Source>(
  kinds: readonly [Kind, ...Kind[]],
  load: () => Promise<CollectorFactory<S>>,
): CollectorFactory<S> {
  return (deps) => {
    let opened: Collector<S> | undefined;
    return {
      async read(signal) {
        if (!opened) {
          const found = await deps.discovered(signal);
          if (kinds.every((kind) => found[kind] === undefined)) return withoutTarget(found, kinds[0]);
          opened = (await load())(deps);
        }
        return opened.read(signal);
      },
      close: () => opened?.close?.(),
    };
  };
}
