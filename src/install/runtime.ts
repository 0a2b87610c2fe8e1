import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Machine } from '../system/machine.ts';

/** One file of the installed program: where it is now, where it goes below the version's folder. */
export type RuntimeFile = { from: string; path: string; mode: number; size: number };
export type Runtime = { id: string; version: string; files: RuntimeFile[]; bytes: number };

/** What of the package itself is installed. Everything `install` needs is in it, so that it can be run from there, too. */
const OWN = [
  'package.json',
  'LICENSE',
  'MONITORING.md',
  'monitor.conf.example',
  'bin',
  'dist',
  'systemd',
  'config',
  'docs',
];
/** Packages that the build leaves outside, because they find a native library by a path of their own. */
const NATIVE = ['libsql', '@resvg/resvg-js'];
const NOT_NEEDED = /\.(d\.ts|d\.mts|d\.cts|map|md)$/i;

/**
 * Lists the files of the program as it runs from `root`: the package, its native packages with the platform's binary, and
 * node itself where it lies in somebody's home. The id is the version and a hash over names, modes and contents.
 */
export function collectRuntime(files: Machine, root: string, node: string | undefined): Runtime {
  const found: RuntimeFile[] = [];
  for (const name of OWN) addTree(files, join(root, name), name, found);
  for (const [name, folder] of nativePackages(files, root))
    addTree(files, folder, `node_modules/${name}`, found, (path) => !NOT_NEEDED.test(path));
  if (node) found.push({ from: node, path: 'node/bin/node', mode: 0o755, size: files.info(node)?.size ?? 0 });
  found.sort((a, b) => (a.path < b.path ? -1 : 1));
  if (!found.some((file) => file.path === 'dist/cli.js'))
    throw new Error(`${root} is not built: run \`npm ci\` (or \`npm run build\`) there first.`);
  const { version } = JSON.parse(files.text(join(root, 'package.json')) ?? '{}') as { version?: string };
  return {
    id: `${version ?? '0'}-${hashFiles(files, found, (file) => file.from)}`,
    version: version ?? '0',
    files: found,
    bytes: found.reduce((sum, file) => sum + file.size, 0),
  };
}

/** True where the folder of this version holds exactly what it should: whole, unchanged, nothing missing. */
export function isIntact(machine: Machine, folder: string, runtime: Runtime): boolean {
  const id = `${runtime.version}-${hashFiles(machine, runtime.files, (file) => join(folder, file.path))}`;
  if (id !== runtime.id) return false;
  return runtime.files.every((file) => machine.info(join(folder, file.path))?.mode === file.mode);
}

function hashFiles(machine: Machine, files: RuntimeFile[], place: (file: RuntimeFile) => string): string {
  const hash = createHash('sha256');
  for (const file of files) {
    const path = place(file);
    hash.update(`${file.path}\0${file.mode}\0${machine.info(path)?.size ?? -1}\0`);
    for (const bytes of machine.chunks(path) ?? []) hash.update(bytes);
  }
  return hash.digest('hex').slice(0, 12);
}

function addTree(
  files: Machine,
  from: string,
  path: string,
  found: RuntimeFile[],
  wanted: (path: string) => boolean = () => true,
): void {
  const info = files.info(from);
  if (!info) return;
  if (info.kind === 'folder') {
    for (const name of files.list(from)) {
      if (name !== 'node_modules') addTree(files, join(from, name), `${path}/${name}`, found, wanted);
    }
  } else if (info.kind === 'file' && wanted(path)) {
    found.push({ from, path, mode: info.mode & 0o111 ? 0o755 : 0o644, size: info.size });
  }
}

/** The native packages and what they need, by Node's own rule: `node_modules` of each folder upwards. */
function nativePackages(files: Machine, root: string): Map<string, string> {
  const found = new Map<string, string>();
  const visit = (name: string, from: string, optional: boolean) => {
    if (found.has(name)) return;
    const folder = lookUp(files, name, from);
    if (!folder) {
      if (optional) return;
      throw new Error(`The package ${name} is missing beside ${from}: run \`npm ci\` there first.`);
    }
    const manifest = JSON.parse(files.text(join(folder, 'package.json')) ?? '{}') as {
      os?: string[];
      cpu?: string[];
      dependencies?: Record<string, string>;
      optionalDependencies?: Record<string, string>;
    };
    if (optional && !fitsHere(name, manifest)) return;
    found.set(name, folder);
    for (const needed of Object.keys(manifest.dependencies ?? {})) visit(needed, folder, false);
    for (const needed of Object.keys(manifest.optionalDependencies ?? {})) visit(needed, folder, true);
  };
  for (const name of NATIVE) visit(name, root, false);
  return found;
}

function lookUp(files: Machine, name: string, from: string): string | undefined {
  for (let dir = from; ; dir = dirname(dir)) {
    const folder = join(dir, 'node_modules', name);
    if (files.exists(join(folder, 'package.json'))) return folder;
    if (dir === dirname(dir)) return undefined;
  }
}

/** npm installs the builds for both C libraries, as libsql's packages do not say which they are for. */
function fitsHere(name: string, manifest: { os?: string[]; cpu?: string[] }): boolean {
  if (manifest.os && !manifest.os.includes(process.platform)) return false;
  if (manifest.cpu && !manifest.cpu.includes(process.arch)) return false;
  const other = usesGlibc() ? /musl/ : /gnu/;
  return !other.test(name);
}

let glibc: boolean | undefined;
/** Asked once: the report takes 100 ms, for it looks at everything else of the process, too. */
function usesGlibc(): boolean {
  const report = () => process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return (glibc ??= report().header?.glibcVersionRuntime !== undefined);
}
