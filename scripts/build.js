// Bundles src into dist: one entry, one chunk per lazily imported command, native packages left outside. `npm ci` in a clone runs it as
// `postprepare`: npm warns of a `prepare` where the packed file is installed, though there is nothing to be built then.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { thirdParty } from './third-party.js';

const root = fileURLToPath(new URL('..', import.meta.url));
// On a Node that is too old the program says so in one sentence; the bundler ends with a stack trace.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  spawnSync(process.execPath, [...process.execArgv, join(root, 'bin/vpsmon.js')], { stdio: 'inherit' });
  process.exit(3);
}

// The bundler must fit on the small server that it may be built on. It keeps what it freed, and its threads keep theirs, twice the
// memory; told to give it back, it does. It reads this when it is loaded.
Object.assign(process.env, {
  MIMALLOC_PURGE_DELAY: '0',
  MIMALLOC_ARENA_EAGER_COMMIT: '0',
  RAYON_NUM_THREADS: '1',
  TOKIO_WORKER_THREADS: '1',
});
const { rolldown } = await import('rolldown');

const final = join(root, 'dist');
// Built beside and moved into place at the end: what runs from dist meanwhile finds either the old tree or the new one.
const dist = join(root, `.dist-${process.pid}`);
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

rmSync(dist, { recursive: true, force: true });
// The library for charts first and by itself, 245 files: in one go with the rest they take 195 MB, one after the other 147.
const CHARTS = 'src/outputs/report/echarts.ts';
const charts = join(dist, 'echarts.js');
const chartsAlone = await rolldown({ cwd: root, input: CHARTS, platform: 'node', logLevel: 'warn' });
const chartModules = (await chartsAlone.write({ file: charts, format: 'esm', minify: true })).output.flatMap(
  (part) => part.moduleIds ?? [],
);
await chartsAlone.close();
const bundle = await rolldown({
  cwd: root,
  plugins: [
    { name: 'charts', resolveId: { filter: { id: /\/echarts\.ts$/ }, handler: () => charts } },
    { name: 'libsql', transform: { filter: { id: /\/libsql\/index\.js$/ }, handler: findBinaryByTheMap } },
  ],
  input: { cli: 'src/cli.ts' },
  platform: 'node',
  // The native packages find their binary by a path of their own; pg-native is never used.
  external: ['@resvg/resvg-js', 'pg-native', 'pg-cloudflare'],
  transform: { define: { __VPSMON_VERSION__: JSON.stringify(version) } },
  logLevel: 'warn',
});
const { output } = await bundle.write({
  dir: dist,
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: 'part-[name]-[hash].js',
  codeSplitting: {
    groups: [
      // What `export` needs while the monitor runs: 60 starts an hour.
      {
        name: 'quick',
        priority: 1,
        test: /src\/(commands\/(unit-line|export-monitor|io)|outputs\/terminal\/style|config\/state-dir|system\/(http\/exchange|answer|folders|write-file))\.ts/,
      },
      // What every command loads, in one file: each file more costs half a millisecond at start. Not the clients of
      // databases and applications, which are loaded when there is one, nor what only single commands use.
      {
        name: 'core',
        test: /src\/(model|config\/(?!yaml|parse-yaml|discover|write-conf)|system\/(?!redis|postgres|apps|machine|describe-machine|unit-states|rasterize|own-command|http\/proxy-request)|outputs\/terminal\/problems|commands\/(unit-line|in-context|io|make-context))/,
      },
    ],
  },
  // Short names save the monitor 0.2 MB: node keeps the text of what it loads. Libraries ask for the names of classes.
  minify: { mangle: { keepNames: { function: false, class: true } }, compress: true, codegen: true },
  sourcemap: false,
});
await bundle.close();
rmSync(charts);
for (const file of readdirSync(dist).filter((name) => name.endsWith('.js'))) toAscii(join(dist, file));

// What `vpsmon --help` prints, kept so that it needs no option parser.
const help = execFileSync(process.execPath, [join(dist, 'cli.js'), '--help'], {
  env: { ...process.env, VPSMON_MAKE_HELP: '1', NO_COLOR: '1' },
  encoding: 'utf8',
});
writeFileSync(join(dist, 'help.txt'), help);

// Man pages and completion scripts, from the command line and the settings themselves.
execFileSync(process.execPath, [join(dist, 'cli.js'), '__pages', join(dist, 'share'), dateOfCommit()]);

mkdirSync(join(dist, 'fonts'), { recursive: true });
for (const font of ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf']) {
  cpSync(join(root, 'node_modules/dejavu-fonts-ttf/ttf', font), join(dist, 'fonts', font));
}

const modules = [...chartModules, ...output.flatMap((part) => part.moduleIds ?? [])];
const { text, list } = thirdParty(root, modules);
writeFileSync(join(dist, 'THIRD-PARTY.txt'), `${text}\n`);
// The SBOM of a release is made of it.
writeFileSync(join(dist, 'third-party.json'), `${JSON.stringify(list, null, 2)}\n`);

rmSync(final, { recursive: true, force: true });
renameSync(dist, final);

// `npx vpsmon` in the checkout finds the command here, with every npm and without a network.
const link = join(root, 'node_modules/.bin/vpsmon');
if (!exists(link)) {
  mkdirSync(join(root, 'node_modules/.bin'), { recursive: true });
  symlinkSync('../../bin/vpsmon.js', link);
}

/**
 * libsql asks two packages which C library there is: one loads child_process, the other has Node write its whole diagnostic report.
 * That is 13 ms of CPU of every start and 0.4 MB. The map of the process says it, too. The binary is looked for from the package
 * of libsql, for only there every package manager makes it visible.
 */
function findBinaryByTheMap(code) {
  const own = `function requireNative() {
    const { readFileSync } = require("node:fs");
    const { createRequire } = require("node:module");
    let libc = "gnu";
    try {
      if (readFileSync("/proc/self/maps", "latin1").includes("/ld-musl-")) libc = "musl";
    } catch {
      // Without /proc it is the usual one.
    }
    const target = "linux-" + process.arch + "-" + libc + (process.arch === "arm" ? "eabihf" : "");
    return createRequire(require.resolve("libsql"))("@libsql/" + target);
  }`;
  const changed = code
    .replace(/^const \{.*\} = require\("(?:@neon-rs\/load|detect-libc)"\);$/gm, '')
    .replace(/^function requireNative\(\) \{$.*?^\}$/ms, own);
  if (changed.includes('familySync') || !changed.includes(own))
    throw new Error(
      'libsql/index.js looks for its binary in another way: look at findBinaryByTheMap in scripts/build.js',
    );
  return changed;
}

/**
 * Node keeps the text of what it loads, and one character beyond Latin-1 (the symbols of the messages) makes all of it take two
 * bytes a letter: 0.3 MB in the monitor, 0.4 more with databases. An escape is the same in every literal and regular
 * expression; in raw templates and behind a backslash it is not, and then the build ends here.
 */
function toAscii(path) {
  const code = readFileSync(path, 'utf8');
  for (const wrong of [/String\.raw`[^`]*[\u0080-\uffff]/, /(?<!\\)(?:\\\\)*\\[\u0080-\uffff]/]) {
    const found = wrong.exec(code);
    if (found) throw new Error(`${path}: cannot be written in ASCII: ${found[0].slice(-80)}`);
  }
  // UTF-16 units, so that a symbol beyond 16 bits becomes its two halves.
  const ascii = code.replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  if (ascii !== code) writeFileSync(path, ascii);
}

/** For the man pages: the same commit gives the same bytes. Without git, as in a source archive, the day of the build. */
function dateOfCommit() {
  try {
    const options = { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
    return execFileSync('git', ['log', '-1', '--format=%cs'], options).trim();
  } catch {
    return new Date().toISOString().slice(0, 10);
  }
}

/** True for a link that leads nowhere, too. */
function exists(path) {
  try {
    lstatSync(path);
    return true;
  } catch {
    return existsSync(path);
  }
}
