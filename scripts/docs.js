// Writes what is made from the tables of settings and metrics: monitor.conf.example, and what stands between the marks in
// MONITORING.md.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const { renderExample, renderReference } = await load('src/outputs/reference.ts');

writeFileSync(join(root, 'monitor.conf.example'), renderExample());
const path = join(root, 'MONITORING.md');
const options = { ...(await resolveConfig(path)), filepath: path };
writeFileSync(path, await format(renderReference(readFileSync(path, 'utf8')), options));

/** The oldest Node.js that is supported cannot import TypeScript. */
async function load(source) {
  const folder = mkdtempSync(join(tmpdir(), 'vpsmon-docs-'));
  try {
    const bundle = await rolldown({ cwd: root, input: source, platform: 'node', logLevel: 'warn' });
    const file = join(folder, 'reference.mjs');
    await bundle.write({ file, format: 'esm' });
    await bundle.close();
    return await import(pathToFileURL(file).href);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
