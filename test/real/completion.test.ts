// Tab completion in the shells themselves; bash, which is everywhere, is tested in test/commands/completion.test.ts.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeState } from '../helpers/completion-state.ts';
import { BIN } from '../helpers/daemon.ts';

let folder: string;
let env: NodeJS.ProcessEnv;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vpsmon-shells-'));
  const state = join(folder, 'state');
  mkdirSync(state);
  writeState(state);
  writeFileSync(join(folder, 'vpsmon'), `#!/bin/sh\nexec ${process.execPath} ${BIN} "$@"\n`);
  chmodSync(join(folder, 'vpsmon'), 0o755);
  env = { ...process.env, PATH: `${folder}:${process.env['PATH']}`, VPSMON_STATE_DIR: state, HOME: folder };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(shell: string, script: string): string[] {
  const options = { env, encoding: 'utf8', input: '' } as const;
  return execFileSync(shell, ['-c', script], options).split('\n').filter(Boolean);
}

/** What fish offers for a line. */
const fish = (line: string) =>
  run('fish', `vpsmon completion fish | source; complete -C '${line}'`).map((one) => one.split('\t')[0]);

/** What zsh offers for the words of a line: its `compadd` is made to print the words. */
const zsh = (line: string) =>
  run(
    'zsh',
    `compdef() { :; }; source <(vpsmon completion zsh)
     compadd() { local a=$argv[-1]; if [[ $argv[1] == -l ]]; then print -l -- \${(P)a}; else shift; print -l -- $@; fi; }
     words=(${line}); CURRENT=$#words; _vpsmon`,
  );

it.each([
  ['fish', fish, 'vpsmon silence ', 'vpsmon silence end ', 'vpsmon incidents show '],
  ['zsh', zsh, "vpsmon silence ''", "vpsmon silence end ''", "vpsmon incidents show ''"],
] as const)(
  '%s: offers commands, and containers, rules, silences and incidents where they belong',
  (_name, offer, silence, end, show) => {
    expect(offer(silence)).toEqual(
      expect.arrayContaining(['list', 'end', 'shop-web-1', 'web', 'swap-used', 'all']),
    );
    expect(offer(end)).toContain('web');
    expect(offer(end)).not.toContain('shop-web-1');
    expect(offer(show)).toContain('1');
    expect(offer(show).join()).not.toContain('$(');
  },
);

it('fish and zsh: look past options, at the state folder of the line, and offer durations behind a subject', () => {
  const state = join(folder, 'state');
  const elsewhere = { ...env };
  delete env['VPSMON_STATE_DIR'];
  try {
    expect(fish(`vpsmon --state-dir ${state} silence sho`)).toEqual(['shop-web-1']);
    expect(fish(`vpsmon silence --state-dir=${state} sho`)).toEqual(['shop-web-1']);
    expect(zsh(`vpsmon --state-dir ${state} silence ''`)).toContain('shop-web-1');
    expect(zsh(`vpsmon silence --state-dir=${state} ''`)).toContain('shop-web-1');
  } finally {
    env = elsewhere;
  }
  expect(fish('vpsmon silence web 2')).toEqual(['2h']);
  expect(zsh("vpsmon silence web ''")).toContain('2h');
  expect(zsh("vpsmon silence web ''")).not.toContain('shop-web-1');
  expect(fish('vpsmon recover restart-container sho')).toEqual(['shop-web-1']);
  expect(zsh("vpsmon recover restart-container ''")).toContain('shop-web-1');
  expect(fish('vpsmon status --config /etc/hostn')).toContain('/etc/hostname');
});

it('fish and zsh: offer the commands first', () => {
  expect(fish('vpsmon st')).toEqual(['status']);
  expect(zsh("vpsmon ''")).toEqual(expect.arrayContaining(['status', 'doctor', 'silence']));
  expect(fish('vpsmon help st')).toEqual(['status']);
  expect(zsh("vpsmon help ''")).toEqual(expect.arrayContaining(['status', 'telegram']));
  expect(fish('vpsmon telegram help c')).toEqual(['chats']);
  expect(zsh("vpsmon help telegram ''")).toContain('chats');
});
