import type { CommandContext, GlobalOptions } from '../../src/commands/context.ts';
import {
  defaultExtra,
  defaultSettings,
  KEY_NAMES,
  type Config,
  type Key,
  type Origin,
  type Settings,
} from '../../src/config/schema.ts';
import { secretsOf } from '../../src/config/secrets.ts';
import { run } from '../../src/system/run.ts';
import { openSystem } from '../../src/system/system.ts';
import type { System } from '../../src/system/types.ts';

/** A configuration with these settings, as if they stood in a file. */
export function configWith(settings: Partial<Settings>, more: Partial<Config> = {}): Config {
  const origins = Object.fromEntries(
    KEY_NAMES.map((key) => [key, { from: key in settings ? 'file' : 'default' }]),
  ) as Record<Key, Origin>;
  return {
    settings: { ...defaultSettings(), ...settings },
    origins,
    extra: defaultExtra(),
    files: [],
    warnings: [],
    stateDir: '/nonexistent/vpsmon-state',
    ...more,
  };
}

export type Recorded = { context: CommandContext; out(): string; err(): string };

/** What a command is handed, with everything that it writes kept. */
export function commandContext(
  config: Config,
  options: GlobalOptions = {},
  more: Partial<Omit<CommandContext, 'system'>> & { system?: Partial<System> } = {},
): Recorded {
  let out = '';
  let err = '';
  const secrets = secretsOf(config);
  const system = openSystem({
    dockerHost: config.settings.DOCKER_HOST,
    hostRoot: config.settings.HOST_ROOT,
    logLevel: 'ERROR',
    secrets,
  });
  const context: CommandContext = {
    io: {
      out: (text) => void (out += text.endsWith('\n') ? text : `${text}\n`),
      err: (text) => void (err += text.endsWith('\n') ? text : `${text}\n`),
      color: false,
      columns: 100,
    },
    options,
    config,
    run,
    env: {},
    secrets,
    ...more,
    system: { ...system, ...more.system },
  };
  return { context, out: () => out, err: () => err };
}
