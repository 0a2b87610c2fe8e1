import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'vpsmon-release-test-'));
const files = join(folder, 'files');
const program = join(folder, 'vpsmon');
const deb = () =>
  join(
    files,
    readdirSync(files).find((name) => name.endsWith('_amd64.deb')) ??
      'no Debian package: apt-get install dpkg',
  );
const run = (file: string, args: string[], env: NodeJS.ProcessEnv = process.env) =>
  execFileSync(file, args, { encoding: 'utf8', env });

function unpack(cpu: string, into: string): void {
  const archive =
    readdirSync(files).find((name) => name.endsWith(`-${cpu}.tar.xz`)) ?? `no archive for ${cpu}`;
  mkdirSync(into, { recursive: true });
  run('tar', ['-xJf', join(files, archive), '-C', into]);
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** Of every ELF file below `place` the machine that it is for: bytes 18 and 19 of its header, https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html. */
function machinesIn(place: string): Record<string, number> {
  const machines: Record<string, number> = {};
  for (const entry of readdirSync(place, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const bytes = readFileSync(join(entry.parentPath, entry.name));
    if (bytes.subarray(0, 4).toString('latin1') === '\u007fELF')
      machines[`${entry.parentPath.slice(place.length + 1)}/${entry.name}`] = bytes.readUInt16LE(18);
  }
  return machines;
}

beforeAll(() => {
  run(process.execPath, ['scripts/release.js', '--quick', files]);
  unpack('x64', folder);
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
  const script = `umask 077; exec ${process.execPath} scripts/release.js --quick ${again} x64`;
  run('sh', ['-c', script], { ...process.env, TZ: 'Asia/Tokyo' });
  const sums = (place: string) => readFileSync(join(place, 'SHA256SUMS'), 'utf8').split('\n');
  expect(sums(again).length).toBeGreaterThan(3);
  expect(sums(files)).toEqual(expect.arrayContaining(sums(again)));
});

it('holds in each archive native code for that processor and for no other', () => {
  const [X86_64, AARCH64] = [62, 183];
  unpack('arm64', join(folder, 'arm64'));
  for (const [place, cpu, machine] of [
    [program, 'x64', X86_64],
    [join(folder, 'arm64/vpsmon'), 'arm64', AARCH64],
  ] as const)
    expect(machinesIn(place)).toEqual({
      'node/bin/node': machine,
      [`node_modules/@libsql/linux-${cpu}-gnu/index.node`]: machine,
      [`node_modules/@resvg/resvg-js-linux-${cpu}-gnu/resvgjs.linux-${cpu}-gnu.node`]: machine,
    });
});

it('says on a machine of another kind what the archive is for', () => {
  const { status, stderr } = spawnSync(join(folder, 'arm64/vpsmon/install.sh'), ['--dry-run'], {
    encoding: 'utf8',
  });
  expect(status).toBe(3);
  expect(stderr).toContain(`does not run on this machine (${process.arch === 'x64' ? 'x86_64' : 'aarch64'})`);
  expect(stderr).toContain('This archive is for aarch64');
});

it('finds its Node through a link to install.sh, and says why it does not run where it was not unpacked whole', () => {
  const link = join(folder, 'install-vpsmon');
  symlinkSync(join(program, 'install.sh'), link);
  expect(run(link, ['--dry-run'])).toContain('Would do, in this order:');
  const alone = join(folder, 'alone.sh');
  copyFileSync(join(program, 'install.sh'), alone);
  const { status, stderr } = spawnSync(alone, [], { encoding: 'utf8' });
  expect(status).toBe(3);
  expect(stderr).toMatch(/node\/bin\/node: (?:not found|No such file)[\s\S]*unpacked whole/);
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
  // Whoever changes it makes dpkg ask on every server where `setup` wrote into it, and an upgrade without a terminal end there.
  expect(sha256(readFileSync(join(folder, 'tree/etc/vpsmon/monitor.conf'), 'utf8'))).toBe(
    '6a6eca63088ea2386b1b2e0f4a27f4879303085ab4d6dfc2661e4438e621002e',
  );
  expect(listed).toContain(' ./usr/share/doc/vpsmon/examples/monitor.conf\n');
  const unit = readFileSync(join(folder, 'tree/lib/systemd/system/vps-monitor.service'), 'utf8');
  expect(unit).toContain('/usr/lib/vpsmon/node/bin/node');
  expect(unit).not.toMatch(/@[A-Z_]+@/);
  for (const script of ['preinst', 'postinst', 'prerm', 'postrm'])
    run('sh', ['-n', join(folder, 'tree/DEBIAN', script)]);
  expect(statSync(join(folder, 'tree/usr/bin/vpsmon')).mode & 0o777).toBe(0o755);
});

it('packs the package as one block of xz: of several, whoever unpacks it keeps some in memory at once, 99 MB', () => {
  const bytes = readFileSync(deb());
  for (const name of ['control.tar.xz', 'data.tar.xz']) {
    const header = bytes.indexOf(name.padEnd(16));
    const size = Number(bytes.toString('latin1', header + 48, header + 58));
    writeFileSync(join(folder, name), bytes.subarray(header + 60, header + 60 + size));
    expect(run('xz', ['--robot', '--list', join(folder, name)])).toMatch(/^totals\t1\t1\t/m);
  }
});

it('the package: settings come back where it cannot be unpacked, and a unit of others that hides its own is named', () => {
  const place = join(folder, 'machine');
  const conf = join(place, 'etc/vpsmon/monitor.conf');
  mkdirSync(join(place, 'etc/systemd/system'), { recursive: true });
  mkdirSync(join(place, 'etc/vpsmon'));
  writeFileSync(conf, 'SERVER_NAME=shop\n');
  const script = (name: string, ...args: string[]) => {
    const text = readFileSync(join(folder, 'tree/DEBIAN', name), 'utf8');
    const moved = text.replace(/(?<![\w.])\/(?:etc|run|usr\/local)\//g, `${place}$&`);
    return spawnSync('sh', ['-c', moved, 'sh', ...args], { encoding: 'utf8' });
  };
  expect(script('preinst', 'install')).toMatchObject({ status: 0, stderr: '' });
  expect(existsSync(conf)).toBe(false);
  expect(script('postrm', 'abort-install', '0.5.0')).toMatchObject({ status: 0, stderr: '' });
  expect(readFileSync(conf, 'utf8')).toBe('SERVER_NAME=shop\n');
  writeFileSync(
    join(place, 'etc/systemd/system/vps-monitor.service'),
    '[Service]\nExecStart=/root/monitor.sh\n',
  );
  const { status, stderr } = script('postinst', 'configure');
  expect(status).toBe(0);
  expect(stderr).toMatch(
    /^vpsmon: \S+\/vps-monitor\.service is not of this package.*mv \S+\/vps-monitor\.service /,
  );
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(readFileSync(conf, 'utf8')).toBe('SERVER_NAME=shop\n');
});

it('lists every bundled library with version and licence in the SBOM, and sums that sha256sum accepts', () => {
  const name = readdirSync(files).find((file) => file.endsWith('.cdx.json')) ?? '';
  const sbom = JSON.parse(readFileSync(join(files, name), 'utf8')) as {
    components: {
      name: string;
      version: string;
      licenses: { license: { id?: string; name?: string } }[];
      purl: string;
    }[];
  };
  const names = sbom.components.map((component) => component.name);
  // Those that are bundled without being dependencies of the npm package, and both sets of native libraries.
  for (const name of [
    'libsql',
    'pg',
    'ioredis',
    'commander',
    'echarts',
    'zrender',
    'uqr',
    'dejavu-fonts-ttf',
  ])
    expect(names).toContain(name);
  for (const cpu of ['x64', 'arm64'])
    for (const name of ['node-linux-', '@libsql/linux-', '@resvg/resvg-js-linux-'])
      expect(names.filter((one) => one.startsWith(name + cpu))).toHaveLength(1);
  for (const name of ['vitest', 'rolldown', 'typescript', 'knip', 'oxlint'])
    expect(names).not.toContain(name);
  for (const { version, licenses, purl } of sbom.components) {
    expect(version).toMatch(/^\d+\.\d+\.\d+$/);
    const { id, name } = licenses[0]!.license;
    expect(id ?? name, purl).toMatch(id ? /^[\w.+-]+$/ : / /);
    expect(purl).toMatch(/^pkg:npm\/(?:%40[\w-]+\/)?[\w.-]+@[\d.]+$/);
  }
  expect(new Set(names.map((one, i) => `${one}@${sbom.components[i]!.version}`)).size).toBe(names.length);
  execFileSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: files, stdio: 'pipe' });
});

it('U14: npm i -g of the packed file: no build, no word from npm, nothing but the two native libraries beside it', () => {
  const prefix = join(folder, 'npm');
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_|VPSMON_)/i.test(name)),
  );
  const env = {
    ...clean,
    HOME: folder,
    // A newer npm is announced on some days; and a registry may be slow.
    npm_config_update_notifier: 'false',
    npm_config_fetch_retries: '5',
    npm_config_userconfig: process.env['npm_config_userconfig'] ?? join(homedir(), '.npmrc'),
  };
  // Packs dist as it is: `npm pack` alone would build it first, beneath tests that run at the same time.
  run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], env);
  const packed = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  expect(packed).toHaveLength(1);
  const installed = spawnSync('npm', ['install', '-g', '--prefix', prefix, join(folder, packed[0]!)], {
    encoding: 'utf8',
    env,
  });
  expect({ code: installed.status, err: installed.stderr }).toEqual({ code: 0, err: '' });
  expect(installed.stdout).not.toMatch(/warn|deprecated|vulnerab/i);

  const place = join(prefix, 'lib/node_modules/vpsmon');
  expect(
    readdirSync(join(place, 'node_modules'))
      .filter((name) => !name.startsWith('.'))
      .toSorted(),
  ).toEqual(['@libsql', '@neon-rs', '@resvg', 'detect-libc', 'libsql']);
  for (const name of ['src', 'scripts', 'test']) expect(readdirSync(place)).not.toContain(name);
  const vpsmon = (...args: string[]) =>
    spawnSync(join(prefix, 'bin/vpsmon'), args, {
      encoding: 'utf8',
      env: { ...env, VPSMON_STATE_DIR: join(folder, 'npm-state') },
      cwd: folder,
    });
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  expect(vpsmon('--version').stdout).toBe(`${version}\n`);
  const once = vpsmon('monitor', '--once');
  expect([0, 1, 2]).toContain(once.status);
  expect(once.stdout).toMatch(/memory +[\d.]+ GB/);
  // The picture of the report needs the other native library and the fonts.
  expect(vpsmon('report').stdout).toContain('Memory: ');
  const plan = vpsmon('install', '--dry-run').stdout;
  for (const path of [
    '/usr/local/lib/vpsmon/',
    '/usr/local/share/man/man1/vpsmon.1',
    '/etc/systemd/system/vps-monitor.service',
  ])
    expect(plan).toContain(path);
  for (const page of ['vpsmon.1', 'monitor.conf.5'])
    expect(
      spawnSync('man', ['--warnings', '-l', join(place, 'dist/share', page)], {
        encoding: 'utf8',
        env: { ...env, MANWIDTH: '80', LC_ALL: 'C.UTF-8' },
      }),
    ).toMatchObject({ status: 0, stderr: '' });
});
