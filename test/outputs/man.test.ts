import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { commandLine } from '../../src/commands/command-line.ts';
import { KEYS } from '../../src/config/schema.ts';
import { commandsOf } from '../../src/outputs/docs/command-pages.ts';
import { manConf, manVpsmon } from '../../src/outputs/docs/man.ts';

const nowhere = { out: () => undefined, err: () => undefined, color: false, columns: 80 };
const { program, examples } = commandLine(nowhere);
const pages = commandsOf(program, examples);
/** As a reader sees it: without the escapes of troff. */
const plain = (page: string) => page.replaceAll('\\-', '-').replaceAll('\\&', '').replaceAll('\\e', '\\');

it('vpsmon(1) has every command, argument, option and example', () => {
  const page = plain(manVpsmon(pages, '1.2.3'));
  const ends = pages.filter(({ subcommands }) => subcommands.length === 0);
  expect(ends.length).toBeGreaterThan(15);
  for (const { usage, options, examples: lines } of ends) {
    expect(page).toContain(`.SS vpsmon ${usage}\n`);
    for (const { flags } of options) expect(page).toContain(`.B ${flags}\n`);
    for (const line of lines) expect(page).toContain(`  vpsmon ${line}\n`);
  }
  expect(page).toContain('.TH VPSMON 1 "" "vpsmon 1.2.3" vpsmon');
});

it('monitor.conf(5) has every setting with its sentence', () => {
  const page = plain(manConf('1.2.3'));
  for (const [key, { help }] of Object.entries(KEYS)) {
    expect(page).toContain(`.B ${key}\n`);
    expect(page).toContain(help.replaceAll('`', ''));
  }
});

it('no line is taken for a request of troff that is none', () => {
  const requests = /^\.(TH|SH|SS|TP|PP|B|BR|I|RI|nf|fi|br)( |$)/;
  for (const page of [manVpsmon(pages, '1'), manConf('1')])
    expect(page.split('\n').filter((line) => /^[.']/.test(line) && !requests.test(line))).toEqual([]);
});

it('the build makes both, and the three completion scripts', () => {
  for (const name of ['vpsmon.1', 'monitor.conf.5', 'vpsmon.bash', 'vpsmon.zsh', 'vpsmon.fish'])
    expect(readFileSync(`dist/share/${name}`, 'utf8').length).toBeGreaterThan(1000);
});
