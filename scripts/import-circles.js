// Fails where files of src import each other in a circle, imports of types included: what is in a circle can only be understood at once.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Each file of src with the files that it imports, lazily loaded ones included. */
function readImports() {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join('src', name));
  const target = (file, specifier) => normalize(join(dirname(file), specifier));
  return new Map(
    files.map((file) => [
      file,
      [...readFileSync(join(root, file), 'utf8').matchAll(/(?:from |import\()'(\.[^']+)'/g)].map((match) =>
        target(file, match[1]),
      ),
    ]),
  );
}

/** One circle as the list of its files, the first again at the end; undefined where there is none. */
function findCircle(imports) {
  const done = new Set();
  const visit = (file, path) => {
    const at = path.indexOf(file);
    if (at >= 0) return [...path.slice(at), file];
    if (done.has(file)) return undefined;
    for (const next of imports.get(file) ?? []) {
      const circle = visit(next, [...path, file]);
      if (circle) return circle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of imports.keys()) {
    const circle = visit(file, []);
    if (circle) return circle;
  }
  return undefined;
}

const circle = findCircle(readImports());
if (circle) {
  console.error(
    `These files import each other in a circle; move what they share into a file of its own:\n  ${circle.join('\n  -> ')}`,
  );
  process.exitCode = 1;
}
