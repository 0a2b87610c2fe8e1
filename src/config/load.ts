import {
  defaultExtra,
  defaultSettings,
  KEY_NAMES,
  type Config,
  type Extra,
  type Key,
  type Origin,
  type Problem,
  type Settings,
} from './schema.ts';
import { findConf, findYaml, type FoundFile } from './find.ts';
import { environmentSettings, readLayer, unknownVariables, type Layer } from './layers.ts';
import { orderLevels } from './levels.ts';
import { parseConf } from './parse-conf.ts';
import { stateDirOf } from './state-dir.ts';
import { tokenFromFile } from './token-file.ts';
import { warnAboutMode, warnTogether } from './warnings.ts';

export type LoadOptions = {
  /** --config */
  config?: string;
  /** --state-dir */
  stateDir?: string;
  env: NodeJS.ProcessEnv;
  cwd: string;
  uid: number;
  /** Settings that the caller is about to replace: where they are wrong they are not set, and that is no error. */
  replaceable?: readonly Key[];
  /** Where the installed configuration is; tests have one of their own. */
  etcDir?: string;
};

/**
 * Loads the whole configuration: environment over monitor.conf over vpsmon.yaml over defaults. Never throws. Where
 * anything is an error there is no configuration, only the list of all problems, warnings included.
 */
export async function loadConfig(
  options: LoadOptions,
): Promise<{ config: Config } | { problems: Problem[] }> {
  const { env, cwd } = options;
  let problems: Problem[] = [];
  const places = { ...options, etcDir: options.etcDir ?? '/etc/vpsmon' };

  const conf = findConf(places, problems);
  const yaml = problems.some((p) => p.level === 'error') ? undefined : findYaml(places, conf, problems);

  const environment = readLayer(environmentSettings(env), 'environment', problems);
  problems.push(...unknownVariables(env));
  const confLayer = readConf(conf, problems);
  const { layer: yamlLayer, extra } = await readYaml(yaml, problems);

  const layers = [environment, confLayer, yamlLayer];
  const { settings, origins } = merge(layers);
  const token = tokenFromFile(layers, env, cwd, problems);
  if (token) {
    settings.TELEGRAM_BOT_TOKEN = String(token.value);
    origins.TELEGRAM_BOT_TOKEN = token.origin;
  }
  problems.push(...orderLevels(settings, origins));
  problems.push(...warnTogether(settings, origins, problems));

  problems = problems.filter(
    ({ level, key }) => level !== 'error' || !options.replaceable?.some((one) => one === key),
  );
  if (problems.some((p) => p.level === 'error')) return { problems };
  return {
    config: {
      settings,
      origins,
      extra,
      files: [conf, yaml].flatMap((found) => (found ? [found.path] : [])),
      warnings: problems,
      stateDir: stateDirOf(options),
    },
  };
}

function readConf(conf: FoundFile | undefined, problems: Problem[]): Layer {
  if (!conf) return new Map();
  const { path } = conf;
  const parsed = parseConf(conf.file.text);
  problems.push(...parsed.problems.map((problem) => ({ ...problem, file: path })));
  const raws = parsed.entries.map(({ key, value, line }) => ({ key, text: value, file: path, line }));
  const layer = readLayer(raws, 'file', problems);
  problems.push(...warnAboutMode(path, conf.file, layer));
  return layer;
}

async function readYaml(
  yaml: FoundFile | undefined,
  problems: Problem[],
): Promise<{ layer: Layer; extra: Extra }> {
  if (!yaml) return { layer: new Map(), extra: defaultExtra() };
  // Costs 6 MB and 28 ms, so only where there is such a file.
  const [{ parseYaml }, { toExtra }] = await Promise.all([import('./parse-yaml.ts'), import('./extra.ts')]);
  const { path, file } = yaml;
  const content = parseYaml(file.text, path);
  const { extra, problems: contradictions } = toExtra(content, path);
  problems.push(...content.problems, ...contradictions);
  const layer = readLayer(content.settings, 'file', problems);
  problems.push(...warnAboutMode(path, file, layer));
  return { layer, extra };
}

/** The first layer that has a key wins. */
function merge(layers: Layer[]): { settings: Settings; origins: Record<Key, Origin> } {
  const settings = defaultSettings();
  const origins = Object.fromEntries(KEY_NAMES.map((key) => [key, { from: 'default' }])) as Record<
    Key,
    Origin
  >;
  for (const key of KEY_NAMES) {
    const found = layers.find((layer) => layer.has(key))?.get(key);
    if (!found) continue;
    Object.assign(settings, { [key]: found.value });
    origins[key] = found.origin;
  }
  return { settings, origins };
}
