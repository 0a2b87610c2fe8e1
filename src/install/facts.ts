import type { FileInfo } from '../system/machine.ts';
import type { UnitState } from '../system/unit-states.ts';
import type { Manifest } from './manifest.ts';
import type { Runtime } from './runtime.ts';
import type { UnitChoices } from './units.ts';

/** What there is now, and what is to be there. Read once; the plan is a pure function of it. */
export type InstallFacts = {
  runtime: Runtime;
  /** The version's folder is there, whole and unchanged. */
  intact: boolean;
  /** Names of the folders of versions that are there. */
  versions: string[];
  choices: UnitChoices;
  templates: Record<string, string>;
  /** Man pages and completion scripts, by the place where they go. */
  shared: Record<string, string>;
  /** What a first installation takes as configuration, and where that is from. */
  config: { content: string; from: string };
  yaml?: { content: string; from: string };
  manifest: Manifest | undefined;
  units: UnitState[];
  info(path: string): FileInfo | undefined;
  text(path: string): string | undefined;
};
