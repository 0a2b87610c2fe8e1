// Makes the release files of this commit in `release/`: for x86-64 and arm64 a .tar.xz and a .deb, both with Node inside, plus SHA256SUMS
// and a CycloneDX SBOM. The same commit gives the same bytes: every time stamp is the commit's, owners are root, names are sorted.
// Needs tar, xz and dpkg-deb. Everything that is fetched comes from the npm registry and is checked against a pinned hash.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';

const NODE_VERSION = '20.20.2';
const TARGETS = [
  {
    cpu: 'x64',
    debian: 'amd64',
    node: 'sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==',
  },
  {
    cpu: 'arm64',
    debian: 'arm64',
    node: 'sha512-LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg==',
  },
];
const DEB_ROOT = '/usr/lib/vpsmon';
const DEB_CHOICES = { node: `${DEB_ROOT}/node/bin/node`, perl: '/usr/bin/perl' };
const DEB_PATHS = { current: DEB_ROOT, config: '/etc/vpsmon/monitor.conf', state: '/var/lib/vpsmon' };
const units = await load();
const { renderUnit, SLICE, STARTED_UNITS, ALL_UNITS, UNIT_FILES } = units;
const STARTED = STARTED_UNITS.join(' ');
/** The units that the timers run. */
const JOBS = ALL_UNITS.filter((name) => name.endsWith('.service') && !STARTED_UNITS.includes(name)).join(' ');

/** Of every service, where systemd may not mount; dpkg does not know it. */
const DROP_INS = ALL_UNITS.filter((name) => name.endsWith('.service')).map(
  (name) => `/etc/systemd/system/${name}.d/vpsmon-no-mounts.conf`,
);
const removeDropIns = DROP_INS.map(
  (path) => `  rm -f ${path}; rmdir ${dirname(path)} 2>/dev/null || true`,
).join('\n');

const installSh = (cpu) => `#!/bin/sh
# Installs vpsmon from this folder: its own Node is inside, nothing is downloaded. Options are passed on (--dry-run).
set -e
here=$(CDPATH= cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd)
if ! why=$("$here/node/bin/node" --version 2>&1); then
  echo "install.sh: the Node inside does not run on this machine ($(uname -m)): $why" >&2
  echo "This archive is for ${cpu === 'x64' ? 'x86_64' : 'aarch64'}, and needs glibc 2.28 or newer and libstdc++. It has to be unpacked whole, where programs may run (not on a file system mounted noexec)." >&2
  exit 3
fi
exec "$here/node/bin/node" "$here/bin/vpsmon.js" install "$@"
`;

// A conffile that never changes: dpkg would ask about a file that was edited and is new in the package as well, and an unattended
// upgrade would end there. All settings with their defaults are in the example beside the documentation.
const CONFFILE = `# Settings of vpsmon. \`vpsmon setup\` writes the bot and the chat here; \`man monitor.conf\` describes every setting, and
# /usr/share/doc/vpsmon/examples/monitor.conf has them all with their defaults.
ENABLE_AUTO_RECOVERY=true
`;

// preinst keeps the settings of an installation that was made from a checkout, as dpkg would otherwise ask about a file it does not know.
const MAINTAINER_SCRIPTS = {
  preinst: `#!/bin/sh
set -e
conf=/etc/vpsmon/monitor.conf
if [ "$1" = install ] && [ -z "$2" ] && [ -f "$conf" ]; then mv -f "$conf" "$conf.kept"; fi
`,
  postinst: `#!/bin/sh
set -e
conf=/etc/vpsmon/monitor.conf
if [ "$1" = configure ]; then
  if [ -f "$conf.kept" ]; then mv -f "$conf.kept" "$conf"; fi
  if [ -f "$conf" ]; then chmod 0600 "$conf"; fi
  # What \`vpsmon install\` or install.sh put there before gives way; settings and history stay.
  if [ -f /usr/local/lib/vpsmon/manifest.json ]; then
    ${DEB_ROOT}/node/bin/node ${DEB_ROOT}/bin/vpsmon.js uninstall || true
  fi
  for name in ${ALL_UNITS.join(' ')}; do
    file=/etc/systemd/system/$name
    if [ -f "$file" ]; then
      echo "vpsmon: $file is not of this package, and systemd takes it instead of the package's. To change that: mv $file /root/ && systemctl daemon-reload && systemctl restart ${STARTED}" >&2
    fi
  done
  if [ -d /run/systemd/system ]; then
    code=0; ${units.MOUNTS_PROBE.join(' ')} 2>/dev/null || code=$?
    case $code in ${units.NO_MOUNTS_CODES.join('|')})
      for file in ${DROP_INS.join(' ')}; do
        mkdir -p "\${file%/*}"
        cat >"$file" <<'EOF'
${units.noMountsDropIn()}EOF
      done
      echo "vpsmon: ${units.NO_MOUNTS_NOTE}" >&2
      ;;
    *)
${removeDropIns}
    esac
    systemctl daemon-reload || true
    systemctl enable ${STARTED} || true
    systemctl restart ${STARTED} || true
  fi
  if ! grep -qs '^ *TELEGRAM_BOT_TOKEN' "$conf"; then
    echo 'vpsmon watches this server. Next: vpsmon setup, which pairs your phone with a bot.'
  fi
fi
if [ "$1" = abort-upgrade ] && [ -d /run/systemd/system ]; then systemctl start ${STARTED} || true; fi
`,
  prerm: `#!/bin/sh
set -e
if [ "$1" = remove ]; then
  # What recovery switched off comes back first: without vpsmon nobody would bring it back.
  /usr/bin/vpsmon recover undo >/dev/null ||
    echo "vpsmon: not all that recovery had switched off could be brought back: docker ps -a and n8n show what is still off" >&2
fi
# A monitor whose files are replaced beneath it could not load what it has not needed yet; postinst starts the new one.
if { [ "$1" = remove ] || [ "$1" = upgrade ]; } && [ -d /run/systemd/system ]; then
  systemctl stop ${STARTED} ${JOBS} ${SLICE} || true
  if [ "$1" = remove ]; then systemctl disable ${STARTED} || true; fi
fi
`,
  postrm: `#!/bin/sh
set -e
conf=/etc/vpsmon/monitor.conf
# The package could not be unpacked: what watches until then needs its settings.
if [ "$1" = abort-install ] && [ -f "$conf.kept" ]; then mv -f "$conf.kept" "$conf"; fi
if [ "$1" = remove ] || [ "$1" = purge ]; then
${removeDropIns}
fi
if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
if [ "$1" = purge ]; then
  rm -rf /var/lib/vpsmon /etc/vpsmon
  rm -f /var/lib/systemd/timers/stamp-vps-daily-report.timer
fi
`,
};

// Whoever builds: the same modes.
process.umask(0o022);
const root = fileURLToPath(new URL('..', import.meta.url));
// `--quick DIR [CPU]`: hardly compressed, for the tests.
const quick = process.argv[2] === '--quick';
const only = quick ? process.argv[4] : undefined;
const level = quick ? 0 : 6;
const out = quick ? process.argv[3] : join(root, 'release');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
const epoch = execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' }).trim();
const work = mkdtempSync(join(tmpdir(), 'vpsmon-release-'));

rmSync(out, { recursive: true, force: true });
mkdirSync(out);
try {
  for (const target of TARGETS) if (!only || target.cpu === only) makeTarget(target);
  writeFileSync(join(out, `vpsmon-${manifest.version}.cdx.json`), `${JSON.stringify(makeSbom(), null, 2)}\n`);
  const sums = readdirSync(out)
    .toSorted()
    .map((name) => `${sha256(join(out, name))}  ${name}\n`);
  writeFileSync(join(out, 'SHA256SUMS'), sums.join(''));
} finally {
  rmSync(work, { recursive: true, force: true });
}
for (const name of readdirSync(out).toSorted())
  console.log(`${(statSync(join(out, name)).size / 1e6).toFixed(1).padStart(6)} MB  release/${name}`);

/** One architecture: the program's folder, packed as an archive and as a Debian package. */
function makeTarget({ cpu, debian, node }) {
  const folder = join(work, debian, 'vpsmon');
  makeProgram(folder, cpu, node);
  const archive = join(out, `vpsmon-${manifest.version}-linux-${cpu}.tar.xz`);
  writeFileSync(join(folder, 'install.sh'), installSh(cpu));
  chmodSync(join(folder, 'install.sh'), 0o755);
  const flags = [
    '--sort=name',
    `--mtime=@${epoch}`,
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--format=gnu',
  ];
  run('tar', [
    ...flags,
    '--mode=u+rwX,go=rX',
    '-C',
    join(work, debian),
    '-I',
    `xz -${level} -T1`,
    '-cf',
    archive,
    'vpsmon',
  ]);
  rmSync(join(folder, 'install.sh'));
  makeDeb(join(work, `deb-${debian}`), folder, debian);
}

/** The files as they are installed: package, bundle, native libraries of this architecture, Node. */
function makeProgram(folder, cpu, nodeIntegrity) {
  mkdirSync(folder, { recursive: true });
  const own = [
    'package.json',
    'LICENSE',
    'README.md',
    'MONITORING.md',
    'CHANGELOG.md',
    'monitor.conf.example',
  ];
  for (const name of [...own, 'bin', 'dist', 'systemd', 'config', 'docs'])
    if (existsSync(join(root, name))) cpSync(join(root, name), join(folder, name), { recursive: true });
  for (const name of nativePackages(cpu)) {
    const { version, integrity } = lock[`node_modules/${name}`];
    unpack(name, version, integrity, join(folder, 'node_modules', name));
  }
  const node = join(work, `node-${cpu}`);
  unpack(`node-linux-${cpu}`, NODE_VERSION, nodeIntegrity, node);
  mkdirSync(join(folder, 'node/bin'), { recursive: true });
  cpSync(join(node, 'bin/node'), join(folder, 'node/bin/node'));
  cpSync(join(node, 'LICENSE'), join(folder, 'node/LICENSE'));
  chmodSync(join(folder, 'node/bin/node'), 0o755);
}

function makeDeb(tree, program, architecture) {
  const put = (path, text, mode = 0o644) => {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text, { mode });
    chmodSync(join(tree, path), mode);
  };
  cpSync(program, join(tree, DEB_ROOT), { recursive: true });
  for (const name of UNIT_FILES) {
    const template = readFileSync(join(root, 'systemd', name), 'utf8');
    put(`lib/systemd/system/${name}`, renderUnit(template, DEB_CHOICES, DEB_PATHS));
  }
  put('usr/bin/vpsmon', `#!/bin/sh\nexec ${DEB_ROOT}/node/bin/node ${DEB_ROOT}/bin/vpsmon.js "$@"\n`, 0o755);
  put('etc/vpsmon/monitor.conf', CONFFILE, 0o600);
  const example = readFileSync(join(root, 'monitor.conf.example'), 'utf8');
  put('usr/share/doc/vpsmon/examples/monitor.conf', example);
  const licences = ['LICENSE', 'dist/THIRD-PARTY.txt'].map((name) => readFileSync(join(root, name), 'utf8'));
  put('usr/share/doc/vpsmon/copyright', licences.join('\n'));
  // Debian wants man pages compressed; gzip without a time stamp is the same in every build.
  const shared = (name) => readFileSync(join(root, 'dist/share', name));
  put('usr/share/man/man1/vpsmon.1.gz', gzipSync(shared('vpsmon.1'), { level: 9 }));
  put('usr/share/man/man5/monitor.conf.5.gz', gzipSync(shared('monitor.conf.5'), { level: 9 }));
  put('usr/share/bash-completion/completions/vpsmon', shared('vpsmon.bash'));
  put('usr/share/zsh/vendor-completions/_vpsmon', shared('vpsmon.zsh'));
  put('usr/share/fish/vendor_completions.d/vpsmon.fish', shared('vpsmon.fish'));
  put('DEBIAN/conffiles', '/etc/vpsmon/monitor.conf\n');
  const size = run('du', ['-sk', '--apparent-size', tree]).split('\t')[0];
  put(
    'DEBIAN/control',
    [
      'Package: vpsmon',
      `Version: ${manifest.version}`,
      `Architecture: ${architecture}`,
      'Maintainer: vpsmon maintainers <vpsmon@localhost>',
      `Installed-Size: ${size}`,
      'Depends: libc6 (>= 2.28), libstdc++6, perl-base',
      'Recommends: systemd',
      'Section: admin',
      'Priority: optional',
      'Description: watches a small server with Docker and alerts on Telegram',
      ` ${manifest.description}.`,
      ' Node.js is inside; nothing else has to be installed. Then run: vpsmon setup',
      '',
    ].join('\n'),
  );
  for (const [name, text] of Object.entries(MAINTAINER_SCRIPTS)) put(`DEBIAN/${name}`, text, 0o755);
  const file = join(out, `vpsmon_${manifest.version}_${architecture}.deb`);
  run('chmod', ['-R', 'u+rwX,go=rX', join(tree, 'usr'), join(tree, 'lib'), join(tree, 'etc')]);
  chmodSync(join(tree, 'etc/vpsmon/monitor.conf'), 0o600);
  run('dpkg-deb', ['--root-owner-group', '-Znone', '--build', tree, file]);
  compressMembers(file);
}

/**
 * Compresses the parts of a Debian package (deb(5): an ar archive, headers of 60 bytes) as one block of xz each. dpkg-deb makes blocks
 * of 24 MB, and whoever unpacks them keeps several in memory: 99 MB instead of 14.
 */
function compressMembers(file) {
  const deb = readFileSync(file);
  const parts = [deb.subarray(0, 8)];
  for (let at = 8; at < deb.length;) {
    const header = deb.toString('latin1', at, at + 60);
    const name = header.slice(0, 16).trim();
    const size = Number(header.slice(48, 58));
    const from = at + 60;
    at = from + size + (size % 2);
    let body = deb.subarray(from, from + size);
    if (name.endsWith('.tar'))
      body = execFileSync('xz', [`-${level}`, '-T1', '-c'], { input: body, maxBuffer: 1e9 });
    const packed = name.endsWith('.tar') ? `${name}.xz` : name;
    const sizes = String(body.length).padEnd(10);
    parts.push(Buffer.from(packed.padEnd(16) + header.slice(16, 48) + sizes + header.slice(58)), body);
    if (body.length % 2) parts.push(Buffer.from('\n'));
  }
  writeFileSync(file, Buffer.concat(parts));
}

/** What `vpsmon install` renders units with. */
async function load() {
  const folder = mkdtempSync(join(tmpdir(), 'vpsmon-units-'));
  try {
    const file = join(folder, 'units.mjs');
    const entry = join(folder, 'entry.ts');
    const src = fileURLToPath(new URL('../src/install', import.meta.url));
    writeFileSync(entry, `export * from '${src}/layout.ts';\nexport * from '${src}/units.ts';\n`);
    const bundle = await rolldown({ input: entry, platform: 'node', logLevel: 'silent' });
    await bundle.write({ file, format: 'esm', codeSplitting: false });
    await bundle.close();
    return await import(pathToFileURL(file).href);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Fetches one package, refuses it when its hash is not the pinned one, and unpacks it without its type files. */
function unpack(name, version, integrity, to) {
  const file = run('npm', [
    'pack',
    '--silent',
    '--ignore-scripts',
    '--pack-destination',
    work,
    `${name}@${version}`,
  ]).trim();
  const found = `sha512-${createHash('sha512')
    .update(readFileSync(join(work, file)))
    .digest('base64')}`;
  if (found !== integrity)
    throw new Error(
      `${name}@${version}: expected ${integrity}, got ${found}. Do not release; look into the registry.`,
    );
  mkdirSync(to, { recursive: true });
  run('tar', [
    '-xzf',
    join(work, file),
    '-C',
    to,
    '--strip-components=1',
    '--no-same-owner',
    '--exclude=*.d.ts',
    '--exclude=*.map',
  ]);
  rmSync(join(work, file));
}

/** CycloneDX 1.5: what is inside, bundled or beside, with version and licence. */
function makeSbom() {
  const component = ({ name, version, license }) => ({
    type: 'library',
    name,
    version,
    licenses: [licenceOf(license)],
    purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
  });
  const bundled = JSON.parse(readFileSync(join(root, 'dist/third-party.json'), 'utf8'));
  const perTarget = TARGETS.flatMap(({ cpu }) => [
    { name: `node-linux-${cpu}`, version: NODE_VERSION, license: 'MIT' },
    ...nativePackages(cpu).map((name) => ({ name, ...lock[`node_modules/${name}`] })),
  ]);
  const byName = new Map([...bundled, ...perTarget].map((one) => [`${one.name}@${one.version}`, one]));
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: {
      timestamp: new Date(Number(epoch) * 1000).toISOString(),
      component: {
        type: 'application',
        name: 'vpsmon',
        version: manifest.version,
        licenses: [{ license: { id: 'MIT' } }],
      },
    },
    components: [...byName.keys()].toSorted().map((name) => component(byName.get(name))),
  };
}

/** As CycloneDX has it: a name of the SPDX list, several of them, or what the package says in words of its own. */
function licenceOf(license) {
  if (/^(?!SEE ).* (?:AND|OR) /.test(license)) return { expression: license };
  return { license: license.includes(' ') ? { name: license } : { id: license } };
}

/** What is shipped beside the bundle, with the libraries of this architecture. */
function nativePackages(cpu) {
  const native = ['libsql', '@neon-rs/load', 'detect-libc', `@libsql/linux-${cpu}-gnu`];
  return [...native, '@resvg/resvg-js', `@resvg/resvg-js-linux-${cpu}-gnu`];
}

function sha256(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

function run(file, args) {
  return execFileSync(file, args, {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, SOURCE_DATE_EPOCH: epoch, LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}
