import { KEY_GROUPS, type KeyDefinition } from '../../config/schema.ts';
import { wrap } from '../terminal/style.ts';
import { SHARED_OPTIONS, type CommandPage } from './command-pages.ts';
import { helpOf, textOf } from './reference.ts';

/** vpsmon(1), made from the command line itself. The format is man(7). */
export function manVpsmon(pages: CommandPage[], version: string, date: string): string {
  const [top, ...commands] = pages;
  return [
    head('VPSMON', 1, version, date),
    '.SH NAME',
    'vpsmon \\- watches a small server with Docker and alerts on Telegram',
    '.SH SYNOPSIS',
    '.B vpsmon',
    '.I command',
    '.RI [ options ]',
    '.SH DESCRIPTION',
    roff(top?.description ?? ''),
    '.PP',
    'Settings are described in',
    '.BR monitor.conf (5).',
    '.SH COMMANDS',
    ...commands.filter(({ subcommands }) => subcommands.length === 0).flatMap(manCommand),
    '.SH OPTIONS',
    'Most commands take these, and they may stand before the command as well.',
    ...Object.values(SHARED_OPTIONS).flatMap(({ flags, help }) => tagged(flags, help)),
    ...tagged('-V, --version', 'prints the version; without a command'),
    '.SH EXIT STATUS',
    ...tagged('0', 'all fine'),
    ...tagged('1', 'warnings'),
    ...tagged('2', 'critical, or what was asked for failed'),
    ...tagged('3', 'vpsmon could not do its work: usage, configuration, an unexpected error'),
    '.SH ENVIRONMENT',
    ...tagged('VPSMON_CONFIG', 'the settings file, as --config'),
    ...tagged('VPSMON_STATE_DIR', 'the state folder, as --state-dir'),
    ...tagged('NO_COLOR', 'no colours'),
    '.PP',
    'Every setting of',
    '.BR monitor.conf (5)',
    'may be in the environment, too, and wins over the file.',
    '.SH FILES',
    ...tagged('/etc/vpsmon/monitor.conf', 'the settings'),
    ...tagged('/var/lib/vpsmon', 'history, incidents, messages that wait, logs, reports'),
    '.SH SEE ALSO',
    '.BR monitor.conf (5),',
    '.BR systemctl (1),',
    '.BR journalctl (1)',
    '',
  ].join('\n');
}

/** monitor.conf(5), made from the table of settings. */
export function manConf(version: string, date: string): string {
  const groups = Object.entries(KEY_GROUPS).flatMap(([group, keys]) => [
    `.SH ${escaped(group.toUpperCase())}`,
    ...Object.entries<KeyDefinition>(keys).flatMap(([key, definition]) =>
      tagged(key, `${helpOf(definition)} Default: ${textOf(definition) || 'empty'}.`),
    ),
  ]);
  return [
    head('MONITOR.CONF', 5, version, date),
    '.SH NAME',
    'monitor.conf \\- settings of vpsmon',
    '.SH DESCRIPTION',
    roff(
      'One KEY=value a line; # begins a comment. The file is looked for in this folder and in /etc/vpsmon. Every setting may be left out, and the environment wins over the file. Changes count after',
    ),
    '.BR "systemctl reload vps-monitor" ;',
    '.B vpsmon config check',
    'finds mistakes, and',
    '.B vpsmon config show',
    'prints what holds.',
    ...groups,
    '.SH FILES',
    '.I /etc/vpsmon/monitor.conf',
    '.br',
    '.I /etc/vpsmon/vpsmon.yaml',
    'for what is not flat',
    '.SH SEE ALSO',
    '.BR vpsmon (1)',
    '',
  ].join('\n');
}

function head(title: string, section: number, version: string, date: string): string {
  return `.TH ${title} ${section} ${date} "vpsmon ${version}" vpsmon`;
}

function manCommand(page: CommandPage): string[] {
  return [
    `.SS vpsmon ${escaped(page.usage)}`,
    roff(page.description),
    ...page.arguments.flatMap(({ name, description }) => tagged(name, description)),
    ...page.options.flatMap(({ flags, description }) => tagged(flags, description)),
    ...(page.examples.length > 0
      ? ['.PP', 'Examples:', '.nf', ...page.examples.map((line) => `  vpsmon ${escaped(line)}`), '.fi']
      : []),
  ];
}

function tagged(tag: string, text: string): string[] {
  return ['.TP', `.B ${escaped(tag)}`, roff(text)];
}

/** Text as troff prints it, in lines of at most 80 bytes, which it joins. */
function roff(text: string): string {
  return wrap(text, 72).map(escaped).join('\n');
}

/** One line as troff prints it: a backslash, a dash that is to be copied, and a dot or quote at the begin of a line are its own. */
function escaped(line: string): string {
  return line.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('`', '').replace(/^[.']/, '\\&$&');
}
