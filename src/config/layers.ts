import { maskSecrets, plain } from '../model/text.ts';
import {
  definitionOf,
  isKey,
  KEY_NAMES,
  type Key,
  type KeyDefinition,
  type Origin,
  type Problem,
} from './schema.ts';
import { KEY_FORMATS } from './key-formats.ts';
import { settingOfOldName } from './old-names.ts';
import { describeValue, parseValue, wrongText, type Value } from './parse-value.ts';
import { suggest } from './suggest.ts';

/** One KEY=value of any place, before it is understood. */
export type RawSetting = { key: string; text: string; file: string; line?: number };
export type LayerSetting = { value: Value; origin: Origin };
/** The settings of one place: the environment, monitor.conf, or `settings:` of vpsmon.yaml. */
export type Layer = Map<Key, LayerSetting>;

/** Understands the settings of one place; everything wrong becomes a problem. Of two with the same key the last one counts. */
export function readLayer(raws: RawSetting[], from: Origin['from'], problems: Problem[]): Layer {
  const layer: Layer = new Map();
  const lines = new Map<string, number | undefined>();
  for (const raw of raws) {
    const { key, file, line } = raw;
    const at = { file, ...(line === undefined ? {} : { line }) };
    if (!isKey(key)) {
      problems.push({ level: 'warning', ...at, ...unknownKey(key) });
      continue;
    }
    if (lines.has(key)) {
      const before = lines.get(key);
      const where = before === undefined ? 'before' : `in line ${before}`;
      const text = `is set twice; the value here counts, the one ${where} does not`;
      problems.push({ level: 'warning', ...at, key, text });
    }
    lines.set(key, line);
    const parsed = understand(key, raw.text);
    if ('problem' in parsed) problems.push({ level: 'error', ...at, key, text: parsed.problem });
    else layer.set(key, { value: parsed.value, origin: { from, ...at } });
  }
  return layer;
}

/** The value of a key, or the sentence about what is wrong with it. */
export function understand(key: Key, text: string): { value: Value } | { problem: string } {
  const definition = definitionOf(key);
  const format = KEY_FORMATS[key];
  let parsed = parseValue(definition, text);
  if ('value' in parsed && format && typeof parsed.value === 'string' && parsed.value.trim() !== '') {
    parsed = format(parsed.value);
  }
  if ('value' in parsed) return parsed;
  return { problem: wrongText(parsed, describeValue(definition, text)) };
}

function unknownKey(key: string): { key: string; text: string } {
  // A key that is not shaped like one may be the torn half of a secret.
  const shown = /^[A-Za-z_][A-Za-z0-9_.-]{0,39}$/.test(key)
    ? maskSecrets(plain(key, 40))
    : `a key of ${key.length} characters`;
  const meant = settingOfOldName(key.toUpperCase()) ?? suggest(key, KEY_NAMES);
  const text = meant
    ? `is not a setting and is ignored; did you mean ${meant}?`
    : 'is not a setting and is ignored; `vpsmon config show` lists all settings';
  return { key: shown, text };
}

/**
 * The settings among the environment variables. Docker's --env-file hands quotes and trailing comments over as they stand,
 * so they are taken off here. A variable that is set but empty, as Compose makes it of an unset ${VARIABLE}, counts as not
 * set, except HTTP_LISTEN, where empty means off.
 */
export function environmentSettings(env: NodeJS.ProcessEnv): RawSetting[] {
  const raws: RawSetting[] = [];
  for (const key of KEY_NAMES) {
    const original = env[key];
    if (original === undefined) continue;
    const text = unwrap(definitionOf(key), original);
    if (text.trim() === '' && key !== 'HTTP_LISTEN') continue;
    // Docker's links and Kubernetes' services put REDIS_PORT=tcp://10.0.0.1:6379 into the environment by themselves.
    if (key.endsWith('_PORT') && /^(?:tcp|udp):\/\//.test(text)) continue;
    raws.push({ key, text, file: 'environment' });
  }
  return raws;
}

function unwrap(definition: KeyDefinition, original: string): string {
  const text = original.trim();
  const quoted = /^(["'])(.*)\1(?:\s+#.*)?$/s.exec(text);
  if (quoted && !quoted[2]!.includes(quoted[1]!)) return quoted[2]!;
  // In a secret, " #" may be part of the value.
  return definition.type === 'secret' ? text : text.replace(/(?:^|\s+)#.*$/s, '');
}

/** Variables of vpsmon itself that are no settings. */
const OWN_VARIABLES = ['VPSMON_CONFIG', 'VPSMON_STATE_DIR', 'VPSMON_DEBUG'];

/** Mistyped VPSMON_ variables, and settings that somebody put the prefix in front of. Others are left alone. */
export function unknownVariables(env: NodeJS.ProcessEnv): Problem[] {
  const problems: Problem[] = [];
  for (const name of Object.keys(env)) {
    if (!name.startsWith('VPSMON_') || OWN_VARIABLES.includes(name)) continue;
    const bare = name.slice('VPSMON_'.length);
    const meant = isKey(bare) ? bare : suggest(name, OWN_VARIABLES);
    if (meant === undefined) continue;
    const key = plain(name, 60);
    problems.push({
      level: 'warning',
      file: 'environment',
      key,
      text: `is not a setting and is ignored; did you mean ${meant}?`,
    });
  }
  return problems;
}
