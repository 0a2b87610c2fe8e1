import type { Reading } from './reading.ts';
import { CONTAINER_SOURCES } from './sources/containers.ts';
import { HOST_SOURCES } from './sources/host.ts';
import { SERVICE_SOURCES } from './sources/services.ts';
import type { SourceInfo } from './sources/source.ts';

/** Everything that a check reads, in the order in which it is shown. How each is read and judged is in src/checks/sources.ts. */
export const SOURCES = { ...HOST_SOURCES, ...CONTAINER_SOURCES, ...SERVICE_SOURCES };

export type Source = keyof typeof SOURCES;
export const SOURCE_IDS = Object.keys(SOURCES) as readonly Source[];

/** What each source gives when it could be read. */
export type Values = {
  [S in Source]: (typeof SOURCES)[S] extends SourceInfo<infer V, infer _R> ? V : never;
};
/** The rules that judge a source. */
export type RulesOf<S extends Source> = Extract<keyof (typeof SOURCES)[S]['rules'], string>;

export type Readings = { [S in Source]: Reading<Values[S]> };
export type Snapshot = { at: number; tookMs: number; readings: Readings };
