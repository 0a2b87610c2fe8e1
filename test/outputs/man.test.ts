import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { commandLine } from '../../src/commands/command-line.ts';
import { KEYS } from '../../src/config/schema.ts';
import { commandsOf } from '../../src/outputs/docs/command-pages.ts';
import { manConf, manVpsmon } from '../../src/outputs/docs/man.ts';

const nowhere = { out: () => undefined, err: () => undefined, color: false, columns: 80 };
const { program, examples } = commandLine(nowhere);
const pages = commandsOf(program, examples);
const DATE = '2026-11-29';
/** As a reader sees it: without the escapes of troff. */
const plain = (page: string) => page.replaceAll('\\-', '-').replaceAll('\\&', '').replaceAll('\\e', '\\');

it('vpsmon(1) has every command, argument, option and example', () => {
  const page = plain(manVpsmon(pages, '1.2.3', DATE));
  const ends = pages.filter(({ subcommands }) => subcommands.length === 0);
  expect(ends.length).toBeGreaterThan(15);
  for (const { usage, options, examples: lines } of ends) {
    expect(page).toContain(`.SS vpsmon ${usage}\n`);
    for (const { flags } of options) expect(page).toContain(`.B ${flags}\n`);
    for (const line of lines) expect(page).toContain(`  vpsmon ${line}\n`);
  }
  expect(page).toContain('.TH VPSMON 1 2026-11-29 "vpsmon 1.2.3" vpsmon');
});

it('monitor.conf(5) has every setting with its sentence', () => {
  const page = plain(manConf('1.2.3', DATE));
  for (const [key, { help }] of Object.entries(KEYS)) {
    expect(page).toContain(`.B ${key}\n`);
    expect(page.replaceAll('\n', ' ')).toContain(help.replaceAll('`', ''));
  }
});

it('a paragraph behind a list of names is not part of the last one', () => {
  expect(manVpsmon(pages, '0.5.0', '2026-07-25')).toContain('no colours\n.PP\nEvery setting of\n');
});

it('no line is taken for a request of troff that is none', () => {
  const requests = /^\.(TH|SH|SS|TP|PP|B|BR|I|RI|nf|fi|br)( |$)/;
  for (const page of [manVpsmon(pages, '1', DATE), manConf('1', DATE)])
    expect(page.split('\n').filter((line) => /^[.']/.test(line) && !requests.test(line))).toEqual([]);
});

it('has a date, and lines that a linter of man pages has nothing against', () => {
  for (const page of [manVpsmon(pages, '1', DATE), manConf('1', DATE)]) {
    expect(page).toMatch(/^\.TH \S+ \d \d{4}-\d\d-\d\d "/);
    expect(page.split('\n').filter((line) => Buffer.byteLength(line) > 80 || /\s$/.test(line))).toEqual([]);
  }
  expect(readFileSync('dist/share/vpsmon.1', 'utf8')).toMatch(/^\.TH VPSMON 1 \d{4}-\d\d-\d\d "/);
});

it('the build makes both, and the three completion scripts', () => {
  for (const name of ['vpsmon.1', 'monitor.conf.5', 'vpsmon.bash', 'vpsmon.zsh', 'vpsmon.fish'])
    expect(readFileSync(`dist/share/${name}`, 'utf8').length).toBeGreaterThan(1000);
});
