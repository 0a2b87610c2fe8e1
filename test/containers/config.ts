import {
  defaultExtra,
  defaultSettings,
  KEY_NAMES,
  type Config,
  type Extra,
  type Key,
  type Origin,
  type Settings,
} from '../../src/config/schema.ts';

/** The defaults, with `settings` and `extra` laid over them. Nothing is read. */
export function configOf(
  settings: Partial<Settings> = {},
  extra: Partial<Extra> = {},
  stateDir = '/nonexistent',
): Config {
  const origins = Object.fromEntries(KEY_NAMES.map((key) => [key, { from: 'default' }]));
  return {
    settings: { ...defaultSettings(), ...settings },
    origins: origins as Record<Key, Origin>,
    extra: { ...defaultExtra(), ...extra },
    files: [],
    warnings: [],
    stateDir,
  };
}
