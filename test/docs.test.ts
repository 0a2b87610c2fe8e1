import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { COMMANDS, type CommandEntry } from '../src/commands/command-table.ts';
import { KEYS } from '../src/config/schema.ts';
import { SECTIONS } from '../src/config/yaml-shape.ts';
import { METRICS } from '../src/outputs/prometheus/metrics-table.ts';
import { RECOVERY_RULES } from '../src/recovery/index.ts';
import { RULES } from '../src/model/rules.ts';
import { vpsmon } from './helpers/daemon.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(root + path, 'utf8');
const reference = readdirSync(root + 'docs')
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`)
  .toSorted();
const code = codeOf(reference.map(read).join('\n'));

/** True where `words` stand in a piece of code, with nothing else attached to either end. */
function says(words: string): boolean {
  const escaped = words.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const pattern = new RegExp(`(?<![\\w-])${escaped}(?![\\w-])`);
  return code.some((piece) => pattern.test(piece));
}

function jsonCommands(entries: readonly CommandEntry[], before = ''): string[] {
  return entries.flatMap(({ name, run, json, plain, hidden, subcommands = [] }) => [
    ...(run && json !== false && !plain && !hidden ? [before + name] : []),
    ...jsonCommands(subcommands, `${before}${name} `),
  ]);
}

describe('MONITORING.md', () => {
  it('is the way through, in 25 KB', () => {
    expect(Buffer.byteLength(read('MONITORING.md'))).toBeLessThan(25_000);
  });

  it('leads to every page of the reference', () => {
    expect(reference.filter((name) => !read('MONITORING.md').includes(`](${name}`))).toEqual([]);
  });
});

describe('the pages in docs/', () => {
  it.each(reference)('%s says nothing that another page says as well', (name) => {
    const others = ['README.md', 'MONITORING.md', ...reference].filter((other) => other !== name);
    const lines = new Map(others.flatMap((other) => sentencesOf(read(other)).map((line) => [line, other])));
    expect(sentencesOf(read(name)).filter((line) => lines.has(line))).toEqual([]);
  });
});

describe('the pages in docs/ have', () => {
  it('every command, subcommand, argument and option of --help', async () => {
    const seen = await walkHelp([]);
    expect(seen.commands.length).toBeGreaterThan(15);
    expect(seen.options.length).toBeGreaterThan(8);
    const commands = seen.commands.map((words) =>
      words.length === 1 ? `vpsmon ${words[0]}` : words.join(' '),
    );
    const missing = [...commands, ...seen.options].filter((words) => !says(words));
    expect(missing).toEqual([]);
  });

  it('everything that the arguments of a command can be', () => {
    const words = [
      'run-all',
      'restart-waha',
      'undo',
      'history',
      'console',
      'telegram',
      'list',
      'end',
      'show',
    ];
    const sections = ['waha', 'n8n', 'leads', 'host', 'containers', 'postgres', 'redis'];
    expect([...words, ...sections].filter((word) => !says(word))).toEqual([]);
  });

  it('every setting', () => {
    const fields = Object.values(SECTIONS).flatMap((section) =>
      'shape' in section ? Object.keys(section.shape) : [],
    );
    const keys = [...Object.keys(KEYS), ...Object.keys(SECTIONS), ...fields];
    expect(keys.filter((key) => !says(key))).toEqual([]);
  });

  it('the shape of everything that --json prints', () => {
    const pieces = codeOf(read('docs/json.md'));
    const named = (name: string) =>
      pieces.some((piece) => piece.startsWith(name) && piece.endsWith('--json'));
    expect(jsonCommands(COMMANDS).filter((name) => !named(name))).toEqual([]);
  });

  it('every metric', () => {
    expect(METRICS.map(({ name }) => name).filter((name) => !says(name))).toEqual([]);
  });

  it('every rule', () => {
    const rules = Object.keys(RULES);
    expect(rules.length).toBeGreaterThan(25);
    const page = codeOf(read('docs/rules.md'));
    expect(rules.filter((rule) => !page.includes(rule))).toEqual([]);
  });

  it('every rule of recovery', () => {
    expect(
      RECOVERY_RULES.map(({ id }) => id).filter((id) => !read('docs/recovery.md').includes(`\n| \`${id}\``)),
    ).toEqual([]);
  });
});

describe('ARCHITECTURE.md', () => {
  const page = read('ARCHITECTURE.md');

  it('is one page', () => {
    expect(page.split('\n').length).toBeLessThanOrEqual(100);
  });

  it('names only files and folders that there are, and every folder of src', () => {
    const paths = ['bin', 'docs', 'scripts', 'src', 'systemd', 'test'].flatMap((folder) => [
      folder,
      ...readdirSync(root + folder, { recursive: true, encoding: 'utf8' }).map((path) => `${folder}/${path}`),
    ]);
    const known = [...paths, ...readdirSync(root)];
    const named = [...page.matchAll(/`([\w./-]+?)\/?`/g)]
      .map(([, name]) => name!)
      .filter((name) => /^(src|test|bin|scripts)\b|^\w+\/|\.(ts|js|mjs|json)$/.test(name));
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter((name) => !known.some((path) => `/${path}`.endsWith(`/${name}`)))).toEqual([]);
    const folders = readdirSync(root + 'src', { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.map(({ name }) => `src/${name}`).filter((name) => !named.includes(name))).toEqual([]);
  });
});

describe('every document', () => {
  const documents = [
    'README.md',
    'MONITORING.md',
    'ARCHITECTURE.md',
    'CHANGELOG.md',
    'config/prometheus/README.md',
    ...reference,
  ];

  it.each(documents)('%s links to files and headings that exist', (name) => {
    const folder = name.slice(0, name.lastIndexOf('/') + 1);
    const broken = [...read(name).matchAll(/\]\((?!https?:)([^)\s]*)\)/g)]
      .map(([, target]) => target!)
      .filter((target) => {
        const [path = '', anchor] = target.split('#');
        const file = path === '' ? name : posix.join(folder, path);
        if (!existsSync(root + file)) return true;
        return anchor !== undefined && !anchorsOf(read(file)).includes(anchor);
      });
    expect(broken).toEqual([]);
  });

  it.each(documents)('%s names only commands that there are', async (name) => {
    const { commands } = await walkHelp([]);
    const known = ['help', ...commands.map((words) => words.join(' '))];
    const parents = new Set(commands.filter((words) => words.length > 1).map((words) => words[0]));
    // What was printed says what vpsmon does.
    const typed = read(name).replace(/^```text\n[^]*?^```$/gm, '');
    const named = codeOf(typed).flatMap((piece) =>
      [...piece.matchAll(/(?:^|\s)vpsmon ([a-z]+)(?![\w/])(?: ([a-z]+))?/gm)].map(([, first, second]) =>
        parents.has(first) && second !== undefined ? `${first} ${second}` : first!,
      ),
    );
    expect(named.filter((words) => !known.includes(words))).toEqual([]);
  });
});

type Surface = { commands: string[][]; options: string[] };
let walked: Surface | undefined;

/** All commands and options, as the built program's own help lists them. */
async function walkHelp(command: string[]): Promise<Surface> {
  if (command.length === 0 && walked) return walked;
  const { code: exit, stdout } = await vpsmon([...command, '--help']);
  if (exit !== 0) throw new Error(`vpsmon ${command.join(' ')} --help ends with ${exit}`);
  const options = [...stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map((m) => m[1]!);
  const listed = /\nCommands:\n([\s\S]*?)(?:\n\n|$)/.exec(stdout)?.[1] ?? '';
  const names = [...listed.matchAll(/^ {2}([a-z]+)/gm)].map((m) => m[1]!).filter((name) => name !== 'help');
  const commands = names.map((name) => [...command, name]);
  for (const below of await Promise.all(commands.map((words) => walkHelp(words)))) {
    commands.push(...below.commands);
    options.push(...below.options);
  }
  const surface = { commands, options: [...new Set(options)] };
  if (command.length === 0) walked = surface;
  return surface;
}

/** Everything that stands in a document as code, each piece by itself. */
function codeOf(markdown: string): string[] {
  return [...markdown.matchAll(/```[a-z]*\n([\s\S]*?)```|`([^`\n]+)`/g)].map((m) => m[1] ?? m[2] ?? '');
}

/** Every sentence of at least 60 letters outside of code and tables, with single spaces. */
function sentencesOf(markdown: string): string[] {
  return markdown
    .replace(/```[\s\S]*?```/g, '')
    .split(/\n\s*\n|(?<=[.:;])\s/)
    .map((text) => text.replace(/\s+/g, ' ').trim())
    .filter((text) => text.length >= 60 && !text.startsWith('|'));
}

/** The anchors that GitHub gives the headings of a document. */
function anchorsOf(markdown: string): string[] {
  return [...markdown.replace(/```[\s\S]*?```/g, '').matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}
