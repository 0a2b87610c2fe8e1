// The licence texts of everything of others that is bundled into dist or shipped beside it, as one text.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Shipped as they are: the native libraries with what finds them, and the fonts of the picture. */
const BESIDE = ['libsql', '@neon-rs/load', 'detect-libc', '@resvg/resvg-js', 'dejavu-fonts-ttf'];
const NOTES = {
  libsql:
    'Contains SQLite, which its authors have put into the public domain (https://sqlite.org/copyright.html).',
  '@resvg/resvg-js':
    'Unchanged. Its source text, under the Mozilla Public License 2.0, is at the address above.',
  'dejavu-fonts-ttf': 'DejaVuSans.ttf and DejaVuSans-Bold.ttf, unchanged.',
};

/**
 * `modules`: paths of the bundled files. Returns the licence texts, and name, version and licence of each package for the SBOM. Throws where a
 * package has neither a licence text nor the name of a licence.
 */
export function thirdParty(root, modules) {
  // Without what the bundler puts before a path.
  const bundled = modules.flatMap((id) => /\/.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []);
  const folders = [...BESIDE.map((name) => join(root, 'node_modules', name)), ...bundled];
  const packages = new Map();
  for (const folder of new Set(folders)) {
    const about = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    packages.set(`${about.name} ${about.version}`, { about, text: licenceText(folder) });
  }
  const sorted = [...packages].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const line = '#'.repeat(78);
  const text = [
    'vpsmon contains the following software of others. Each is under its own licence.\nThe release files also contain Node.js; its licence is beside it, in node/LICENSE.',
    ...sorted.map(([name, found]) => section(name, found)),
  ].join(`\n\n${line}\n`);
  const list = sorted.map(([, { about }]) => ({
    name: about.name,
    version: about.version,
    license: licenceName(about),
  }));
  return { text, list };
}

function licenceName({ license }) {
  return typeof license === 'string' ? license : license?.type;
}

function section(name, { about, text }) {
  const licence = licenceName(about);
  if (!licence && text === undefined) throw new Error(`${name} names no licence`);
  const repository = typeof about.repository === 'string' ? about.repository : about.repository?.url;
  const author = typeof about.author === 'string' ? about.author : about.author?.name;
  return [
    `${name}    ${licence ?? ''}`.trim(),
    ...(repository ? [repository.replace(/^git\+/, '')] : []),
    ...(NOTES[about.name] ? [NOTES[about.name]] : []),
    '',
    text ??
      `The package holds no licence text. It is under the licence ${licence}${author ? `, by ${author}` : ''}.${licence === 'MIT' ? `\n\n${MIT}` : ''}`,
  ].join('\n');
}

function licenceText(folder) {
  const names = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && /^(?:licen[cs]e|copying|notice)/i.test(entry.name))
    .map(({ name }) => name);
  const texts = names.toSorted().map((name) => readFileSync(join(folder, name), 'utf8').trim());
  return texts.length > 0 ? texts.join('\n\n') : undefined;
}

const MIT = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the
"Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to
the following conditions: The above copyright notice and this permission notice shall be included in all copies or substantial portions
of the Software. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE
LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;
