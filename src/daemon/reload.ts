import type { Config, Key } from '../config/schema.ts';

/** Pure: what a reload changes, for the log: names only, for a value may be a secret. Empty: nothing. */
export function changesBetween(before: Config, after: Config): string[] {
  const keys = Object.keys(after.settings) as Key[];
  const text = ({ settings }: Config, key: Key) => JSON.stringify(settings[key]);
  const changed: string[] = keys.filter((key) => text(before, key) !== text(after, key));
  if (JSON.stringify(before.extra) !== JSON.stringify(after.extra)) changed.push('vpsmon.yaml');
  return changed;
}

/** Pure: settings that stay until a restart, since the environment of a running process wins and cannot be changed. */
export function keptFromEnvironment(config: Config): string[] {
  return Object.entries(config.origins)
    .filter(([, origin]) => origin.from === 'environment')
    .map(([key]) => key);
}
