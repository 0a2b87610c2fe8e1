// Bundles src into dist: one entry, one chunk per lazily imported command, native packages left outside.
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const final = join(root, 'dist');
// Built beside and moved into place at the end: what runs from dist meanwhile finds either the old tree or the new one.
const dist = join(root, `.dist-${process.pid}`);
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

rmSync(dist, { recursive: true, force: true });
const bundle = await rolldown({
  cwd: root,
  input: { cli: 'src/cli.ts' },
  platform: 'node',
  // The two native packages find their binary by a path of their own; pg-native is never used.
  external: ['libsql', '@resvg/resvg-js', 'pg-native', 'pg-cloudflare'],
  transform: { define: { __VPSMON_VERSION__: JSON.stringify(version) } },
  logLevel: 'warn',
});
await bundle.write({
  dir: dist,
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: 'part-[name]-[hash].js',
  codeSplitting: {
    groups: [
      // What every command loads, in one file: each file more costs half a millisecond at start.
      {
        name: 'core',
        test: /src\/(model|config\/(?!yaml|parse-yaml|discover)|system|outputs\/problems|outputs\/style|commands\/make-context)/,
      },
    ],
  },
  minify: { mangle: false, compress: true, codegen: true },
  sourcemap: false,
});
await bundle.close();

// What `vpsmon --help` prints, kept so that it needs no option parser.
const help = execFileSync(process.execPath, [join(dist, 'cli.js'), '--help'], {
  env: { ...process.env, VPSMON_MAKE_HELP: '1', NO_COLOR: '1' },
  encoding: 'utf8',
});
writeFileSync(join(dist, 'help.txt'), help);

mkdirSync(join(dist, 'fonts'), { recursive: true });
for (const font of ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf']) {
  cpSync(join(root, 'node_modules/dejavu-fonts-ttf/ttf', font), join(dist, 'fonts', font));
}

rmSync(final, { recursive: true, force: true });
renameSync(dist, final);

// `npx vpsmon` in the checkout finds the command here, with every npm and without a network.
const link = join(root, 'node_modules/.bin/vpsmon');
if (!exists(link)) {
  mkdirSync(join(root, 'node_modules/.bin'), { recursive: true });
  symlinkSync('../../bin/vpsmon.js', link);
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
