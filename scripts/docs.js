// Writes what is made from the tables of commands, settings and metrics: monitor.conf.example, and what stands between the marks
// in docs/. Those files are not formatted: padded tables would be twice as long.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const { renderExample, renderReference, generatedParts, commandsMarkdown, commandsOf, commandLine } =
  await load();

writeFileSync(join(root, 'monitor.conf.example'), renderExample());
const { program, examples } = commandLine({
  out: () => undefined,
  err: () => undefined,
  color: false,
  columns: 80,
});
const parts = generatedParts(commandsMarkdown(commandsOf(program, examples)));
for (const [name, texts] of Object.entries(parts)) {
  const path = join(root, name);
  writeFileSync(path, renderReference(readFileSync(path, 'utf8'), texts));
}

/** The oldest Node.js that is supported cannot import TypeScript. */
async function load() {
  const folder = mkdtempSync(join(root, 'node_modules/.vpsmon-docs-'));
  try {
    const bundle = await rolldown({
      cwd: root,
      input: {
        reference: 'src/outputs/docs/reference.ts',
        pages: 'src/outputs/docs/command-pages.ts',
        line: 'src/commands/command-line.ts',
      },
      platform: 'node',
      external: ['libsql', '@resvg/resvg-js', 'pg-native', 'pg-cloudflare'],
      transform: { define: { __VPSMON_VERSION__: '""' } },
      logLevel: 'warn',
    });
    await bundle.write({ dir: folder, format: 'esm', entryFileNames: '[name].mjs' });
    await bundle.close();
    const modules = await Promise.all(
      ['reference', 'pages', 'line'].map((name) => import(pathToFileURL(join(folder, `${name}.mjs`)).href)),
    );
    return Object.assign({}, ...modules);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
