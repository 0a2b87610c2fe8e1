import {
  definitionOf,
  KEY_GROUPS,
  KEY_NAMES,
  type Config,
  type Extra,
  type Key,
  type Origin,
  type Problem,
} from '../../config/schema.ts';
import { maskSecrets } from '../../model/text.ts';
import { renderProblems } from './problems.ts';
import { DAYS, timeOf } from './silences.ts';

/** `vpsmon config check` for people: every problem, then one line with the result. */
export function renderConfigCheck(
  problems: readonly Problem[],
  files: readonly string[],
  color: boolean,
): string {
  const errors = problems.filter((p) => p.level === 'error').length;
  const warnings = problems.length - errors;
  const counts = [errors > 0 ? count(errors, 'error') : '', warnings > 0 ? count(warnings, 'warning') : ''];
  const read = files.length > 0 ? files.join(' and ') : 'no configuration file';
  const summary =
    problems.length === 0
      ? `The configuration is fine: ${read}.`
      : `${counts.filter(Boolean).join(' and ')}${errors > 0 ? '; vpsmon does not start with it' : `: ${read}`}.`;
  return problems.length === 0 ? summary : `${renderProblems(problems, color)}\n\n${summary}`;
}

/** The shape of `vpsmon config check --json`. */
export function configCheckJson(problems: readonly Problem[], files: readonly string[]): unknown {
  return {
    ok: !problems.some((p) => p.level === 'error'),
    files,
    errors: problems.filter((p) => p.level === 'error').map(withoutLevel),
    warnings: problems.filter((p) => p.level === 'warning').map(withoutLevel),
  };
}

function withoutLevel({ file, line, key, text }: Problem): unknown {
  return { file, line: line ?? null, key: key ?? null, text };
}

function count(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? '' : 's'}`;
}

/** `vpsmon config show` for people: every setting, what it is, and where that came from. */
export function renderConfig(config: Config, secrets: readonly string[]): string {
  const lines: string[] = [];
  const width = Math.max(
    ...KEY_NAMES.map((key) => `${key}=${shownValue(config, key, secrets)}`.length).filter((n) => n <= 60),
  );
  for (const [group, keys] of Object.entries(KEY_GROUPS)) {
    lines.push(`${lines.length > 0 ? '\n' : ''}# ${group}`);
    for (const key of Object.keys(keys) as Key[]) {
      const setting = `${key}=${shownValue(config, key, secrets)}`;
      lines.push(`${setting.padEnd(width)}  # ${describeOrigin(config.origins[key])}`);
    }
  }
  const files = config.files.length > 0 ? config.files.join(', ') : 'none';
  return [
    ...lines,
    '\n# vpsmon.yaml',
    maskSecrets(toYaml(snake(yamlShape(config.extra))), secrets),
    `\n# Files read: ${files}`,
    `# State folder: ${config.stateDir}`,
  ].join('\n');
}

/** The shape of `vpsmon config show --json`. */
export function configJson(config: Config, secrets: readonly string[]): unknown {
  const settings = Object.fromEntries(
    KEY_NAMES.map((key) => {
      const { from, file, line, follows } = config.origins[key];
      const value = masked(config, key, secrets);
      return [key, { value, from, file: file ?? null, line: line ?? null, follows: follows ?? null }];
    }),
  );
  const extra = JSON.parse(maskSecrets(JSON.stringify(snake(yamlShape(config.extra))), secrets)) as unknown;
  return { files: config.files, state_dir: config.stateDir, settings, ...(extra as object) };
}

function masked(config: Config, key: Key, secrets: readonly string[]): unknown {
  const value = config.settings[key];
  if (typeof value !== 'string') return value;
  if (definitionOf(key).type === 'secret') return value === '' ? '' : '***';
  return maskSecrets(value, secrets);
}

function shownValue(config: Config, key: Key, secrets: readonly string[]): string {
  const value = masked(config, key, secrets);
  const text = Array.isArray(value) ? value.join(',') : String(value);
  return /[\s#"']/.test(text) ? `"${text.replace(/[\\"]/g, '\\$&')}"` : text;
}

function describeOrigin(origin: Origin): string {
  if (origin.follows !== undefined) return `default, in proportion to ${origin.follows}`;
  if (origin.from !== 'file') return origin.from;
  return origin.line === undefined ? `${origin.file}` : `${origin.file}:${origin.line}`;
}

/** Back into the words of the file. */
function yamlShape(extra: Extra): Record<string, unknown> {
  const { services, sqlMetrics, silences, recovery } = extra;
  const { tag, ...n8n } = extra.n8n;
  return {
    services,
    sqlMetrics,
    n8n: { lowPriorityTag: tag, ...n8n },
    recovery,
    silences: silences.map((s) => ({
      ...s,
      days: s.days.map((day) => DAYS[day]!.toLowerCase()),
      from: timeOf(s.from),
      to: timeOf(s.to),
    })),
  };
}

function snake(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snake);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [
    key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    snake(inner),
  ]);
  return Object.fromEntries(entries);
}

/** Sections with one line an item; JSON values are YAML values. */
function toYaml(sections: unknown): string {
  return Object.entries(sections as Record<string, unknown>)
    .flatMap(([name, value]) => {
      if (Array.isArray(value)) {
        return value.length === 0
          ? [`${name}: []`]
          : [`${name}:`, ...value.map((item) => `  - ${inline(item)}`)];
      }
      return [
        `${name}:`,
        ...Object.entries(value as object).map(([key, inner]) => `  ${key}: ${inline(inner)}`),
      ];
    })
    .join('\n');
}

function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{ ${Object.entries(value)
      .map(([key, inner]) => `${key}: ${inline(inner)}`)
      .join(', ')} }`;
  }
  return JSON.stringify(value);
}
