import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  lstatSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { SHARED, UNIT_FILES } from '../../src/install/layout.ts';
import { openMachine, packageRoot, type Machine } from '../../src/system/machine.ts';
import type { Run } from '../../src/system/types.ts';

/** A root file system of its own, a small package to install, and a systemctl that keeps books. */
export type Place = {
  root: string;
  machine: Machine;
  source: string;
  run: Run;
  commands: string[];
  /** Units by name, as systemctl would know them. */
  units: Map<string, { enabled: boolean; active: boolean }>;
  listing(): string[];
  clean(): void;
};

export function openPlace(version = '1.0.0'): Place {
  const base = mkdtempSync(join(tmpdir(), 'vpsmon-install-'));
  const root = join(base, 'root');
  const source = join(base, 'package');
  for (const dir of ['etc/systemd/system', 'usr/local/bin', 'usr/local/lib', 'var/lib', 'run/systemd/system'])
    mkdirSync(join(root, dir), { recursive: true });
  writePackage(source, version, 'first');
  const units: Place['units'] = new Map();
  const commands: string[] = [];
  return {
    root,
    source,
    machine: openMachine(root, false),
    units,
    commands,
    run: systemctl(root, units, commands),
    listing: () => list(root, ''),
    clean: () => rmSync(base, { recursive: true, force: true }),
  };
}

/** What `npm ci` leaves, in small: the built program and the native packages with what they need. */
export function writePackage(source: string, version: string, text: string): void {
  const write = (path: string, content: string, mode = 0o644) => {
    mkdirSync(dirname(join(source, path)), { recursive: true });
    writeFileSync(join(source, path), content, { mode });
  };
  const pack = (name: string, extra: object = {}) =>
    write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', ...extra }));
  write('package.json', JSON.stringify({ name: 'vpsmon', version }));
  write('bin/vpsmon.js', `// ${text}\n`, 0o755);
  write('dist/cli.js', `// ${text}\n`);
  write('dist/fonts/a.ttf', 'font');
  for (const { from } of SHARED) write(`dist/share/${from}`, `vpsmon ${text}`);
  write('monitor.conf.example', 'ENABLE_AUTO_RECOVERY=true\n');
  write('src/not-installed.ts', '');
  const mine = `${process.platform}-${process.arch}`;
  pack('libsql', {
    dependencies: { 'detect-libc': '*' },
    optionalDependencies: {
      [`@libsql/${mine}-gnu`]: '*',
      [`@libsql/${mine}-musl`]: '*',
      '@libsql/other': '*',
      gone: '*',
    },
  });
  pack('detect-libc');
  pack(`@libsql/${mine}-gnu`, { os: [process.platform], cpu: [process.arch] });
  pack(`@libsql/${mine}-musl`, { os: [process.platform], cpu: [process.arch] });
  pack('@libsql/other', { os: ['plan9'] });
  pack('@resvg/resvg-js');
  pack('not-needed');
  for (const name of [...UNIT_FILES, 'notify-exec'])
    write(
      `systemd/${name}`,
      readFileSync(join(packageRoot(), 'systemd', name), 'utf8'),
      name === 'notify-exec' ? 0o755 : 0o644,
    );
}

/** systemctl, as far as install uses it; what it really does is tested in the machine (test/vps). */
function systemctl(root: string, units: Place['units'], commands: string[]): Run {
  return async (file, args) => {
    const answer = (stdout = '', exitCode = 0) => ({ exitCode, stdout, stderr: '' });
    if (file !== 'systemctl') throw new Error(`${file} is not installed`);
    const [verb, ...names] = args.filter((arg) => !arg.startsWith('-'));
    if (verb === 'show') return answer(names.map((name) => show(root, units, name)).join('\n'));
    commands.push([file, ...args].join(' '));
    for (const name of names) {
      const unit = units.get(name) ?? { enabled: false, active: false };
      if (verb === 'enable') {
        units.set(name, { ...unit, enabled: true });
        const wants = name.endsWith('.timer') ? 'timers.target.wants' : 'multi-user.target.wants';
        mkdirSync(join(root, 'etc/systemd/system', wants), { recursive: true });
      }
      if (verb === 'restart') units.set(name, { ...unit, active: true });
      if (verb === 'disable') units.delete(name);
    }
    return answer();
  };
}

function show(root: string, units: Place['units'], name: string): string {
  const unit = units.get(name);
  const loaded = existsSync(join(root, 'etc/systemd/system', name));
  return [
    `Id=${name}`,
    `LoadState=${loaded ? 'loaded' : 'not-found'}`,
    `ActiveState=${unit?.active ? 'active' : 'inactive'}`,
    `UnitFileState=${unit?.enabled ? 'enabled' : loaded ? 'disabled' : ''}`,
    'NeedDaemonReload=no',
    '',
  ].join('\n');
}

/** Every path with kind, mode and content, for comparing two states of the file system. */
function list(root: string, path: string): string[] {
  const stat = lstatSync(join(root, path));
  const mode = (stat.mode & 0o7777).toString(8);
  if (stat.isSymbolicLink()) return [`${path} -> ${readlinkSync(join(root, path))}`];
  if (stat.isFile()) return [`${path} ${mode} ${readFileSync(join(root, path), 'utf8')}`];
  return [
    `${path}/ ${mode}`,
    ...readdirSync(join(root, path))
      .toSorted()
      .flatMap((name) => list(root, `${path}/${name}`)),
  ];
}
