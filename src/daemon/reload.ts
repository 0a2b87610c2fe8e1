import type { Config, Key, Settings } from '../config/schema.ts';

/** Pure: what a reload changes, for the log: names only, for a value may be a secret. Empty: nothing. */
export function changesBetween(before: Config, after: Config): string[] {
  const keys = Object.keys(after.settings) as Key[];
  const changed: string[] = keys.filter((key) => !sameSetting(before.settings, after.settings, key));
  if (JSON.stringify(before.extra) !== JSON.stringify(after.extra)) changed.push('vpsmon.yaml');
  return changed;
}

/** Pure: settings that stay until a restart, since the environment of a running process wins and cannot be changed. */
export function keptFromEnvironment(config: Config): string[] {
  return Object.entries(config.origins)
    .filter(([, origin]) => origin.from === 'environment')
    .map(([key]) => key);
}

function sameSetting(before: Settings, after: Settings, key: Key): boolean {
  return JSON.stringify(before[key]) === JSON.stringify(after[key]);
}
