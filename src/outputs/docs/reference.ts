import { KEY_GROUPS, type KeyDefinition } from '../../config/schema.ts';
import { SECTIONS, type Field, type Shape } from '../../config/yaml-shape.ts';
import { RULES } from '../../model/rules.ts';
import type { RuleInfo } from '../../model/sources/source.ts';
import { metricsMarkdown } from '../prometheus/metrics-table.ts';

/** What differs in monitor.conf.example from the defaults. */
const IN_EXAMPLE: Record<string, string> = { ENABLE_AUTO_RECOVERY: 'true' };

/** The text of monitor.conf.example: every key with its sentence and its default. */
export function renderExample(): string {
  const lines = [
    '# Settings of vpsmon. `vpsmon install` copies this file to /etc/vpsmon/monitor.conf; ./monitor.conf is found as well.',
    '# Every setting is here with its default, and every one may be left out. `vpsmon config check` finds what is wrong,',
    '# `vpsmon config show` prints what holds and where it came from. The environment wins over this file.',
    '# systemd (EnvironmentFile=) and Docker (--env-file) can read this file, too.',
  ];
  for (const [group, keys] of Object.entries(KEY_GROUPS)) {
    lines.push('', '', `# ${group}`);
    for (const [key, definition] of Object.entries<KeyDefinition>(keys))
      lines.push('', `# ${definition.help}`, `${key}=${exampleValue(key, definition)}`);
  }
  return `${lines.join('\n')}\n`;
}

function exampleValue(key: string, definition: KeyDefinition): string {
  const value = IN_EXAMPLE[key] ?? textOf(definition);
  return ['int', 'number', 'bool', 'choice'].includes(definition.type) ? value : `"${value}"`;
}

/** A default, as it would stand in the file. */
export function textOf({ default: value }: KeyDefinition): string {
  return Array.isArray(value) ? value.join(',') : String(value);
}

/** The sentence about a setting, and which numbers it takes. */
export function helpOf(definition: KeyDefinition): string {
  const isNumber = definition.type === 'int' || definition.type === 'number';
  return isNumber ? `${definition.help} ${definition.min} to ${definition.max}.` : definition.help;
}

/** The tables of all keys of monitor.conf, in Markdown. */
function renderKeyTables(): string {
  return Object.entries(KEY_GROUPS)
    .map(([group, keys]) => {
      const rows = Object.entries<KeyDefinition>(keys).map(([key, definition]) => {
        const usual = textOf(definition);
        return row(`\`${key}\``, usual && `\`${usual}\``, helpOf(definition));
      });
      return [`### ${group}`, '', ...tableHead('Key', 'Default'), ...rows].join('\n');
    })
    .join('\n\n');
}

/** The tables of all keys of vpsmon.yaml, in Markdown. */
function renderYamlTables(): string {
  return Object.entries(SECTIONS)
    .map(([name, section]) => {
      const title = `### \`${name}\`${section.list ? ' (a list)' : ''}\n\n${section.help}`;
      if (!('shape' in section)) return title;
      const shape: Shape = section.shape;
      const rows = Object.entries(shape).map(([key, field]) => row(`\`${key}\``, kindOf(field), field.help));
      return [title, '', ...tableHead('Key', 'Value'), ...rows].join('\n');
    })
    .join('\n\n');
}

function kindOf(field: Field): string {
  const kind = field.type === 'int' ? `${field.min} to ${field.max}` : KIND_WORDS[field.type];
  return field.required ? `${kind}; required` : kind;
}

const KIND_WORDS: Record<Exclude<Field['type'], 'int'>, string> = {
  bool: 'true or false',
  text: 'text',
  texts: 'list of texts',
  choices: 'list',
  'metric-name': 'name',
  query: 'SQL',
  days: 'list of days',
  time: 'HH:MM',
};

/** The table of all rules, in Markdown. */
function renderRuleTable(): string {
  const columns = ['Rule', 'Warning', 'Critical', 'Ends', 'Settings'];
  const rows = Object.entries<RuleInfo>(RULES).map(([id, { about, warning, critical, ends, settings }]) =>
    row(
      `\`${id}\`${about === undefined ? '' : ` (${about})`}`,
      warning ?? '',
      critical ?? '',
      ends,
      settings ?? '',
    ),
  );
  return [row(...columns), row(...columns.map(() => '---')), ...rows].join('\n');
}

function tableHead(first: string, second: string): string[] {
  return [row(first, second, ''), row('---', '---', '---')];
}

function row(...cells: string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** `document` with what stands between the two marks of `name` replaced. Throws where the marks are missing. */
export function replaceBetween(document: string, name: string, text: string): string {
  const begin = `<!-- ${name}:begin -->`;
  const end = `<!-- ${name}:end -->`;
  const from = document.indexOf(begin);
  const to = document.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the marks ${begin} and ${end} are missing`);
  return `${document.slice(0, from + begin.length)}\n\n${text}\n\n${document.slice(to)}`;
}

/** The generated parts of the documentation: file, then mark, then text. `commands` is the page of all commands. */
export function generatedParts(commands: string): Record<string, Record<string, string>> {
  return {
    'docs/commands.md': { commands },
    'docs/settings.md': { keys: renderKeyTables(), yaml: renderYamlTables() },
    'docs/metrics.md': { metrics: metricsMarkdown() },
    'docs/rules.md': { rules: renderRuleTable() },
  };
}

/** `document` with all its generated parts as they have to be. */
export function renderReference(document: string, parts: Record<string, string>): string {
  return Object.entries(parts).reduce((text, [name, table]) => replaceBetween(text, name, table), document);
}
