// docs/json.md names every key that is printed: read from what makes the JSON, so that one which is printed seldom is not forgotten.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(root + path, 'utf8');

/** What makes JSON for people, and the section of docs/json.md about it. */
const SECTION_OF: Record<string, string> = {
  'src/commands/doctor.ts': 'doctor',
  'src/commands/forecast-replay.ts': 'forecast',
  'src/commands/incidents.ts': 'incidents and silences',
  'src/commands/install.ts': 'install and uninstall',
  'src/commands/monitor-once.ts': 'monitor --once',
  'src/commands/run-plan.ts': 'install and uninstall',
  'src/commands/silence.ts': 'incidents and silences',
  'src/commands/status.ts': 'status',
  'src/commands/telegram.ts': 'telegram',
  'src/outputs/report/json.ts': 'report',
  'src/outputs/terminal/config.ts': 'config',
  'src/outputs/terminal/forecast.ts': 'forecast',
  'src/outputs/terminal/incidents.ts': 'incidents and silences',
  'src/outputs/terminal/recording.ts': 'incidents and silences',
  'src/outputs/terminal/recovery.ts': 'recover',
};

/** What is printed as it stands. */
const TYPES: [file: string, type: string, section: string][] = [
  ['src/daemon/health.ts', 'Health', '/health'],
  ['src/install/plan.ts', 'PlanStep', 'install and uninstall'],
  ['src/model/left-off.ts', 'LeftOff', 'report'],
  ['src/notify/try-out.ts', 'ChatsResult', 'telegram'],
  ['src/notify/try-out.ts', 'TriedChat', 'telegram'],
  ['src/notify/try-out.ts', 'TryResult', 'telegram'],
  ['src/outputs/report/data.ts', 'ReportAction', 'report'],
];

/** The functions of a file that make JSON, and what is handed to `printJson` as it stands. */
function makersIn(text: string): string[] {
  const functions = text.matchAll(
    /^(?:export )?function \w*[jJ]son\w*\([\s\S]*?\)(?:: [^\n]+)? (\{\n[\s\S]*?\n\})/gm,
  );
  const printed = text.matchAll(/printJson\(\w+, (\{[\s\S]*?\})\);/g);
  return [...functions, ...printed].map((found) => found[1]!);
}

/** Keys of the object literals in a piece of code; what is taken apart (parameters, `const {`) is none. */
function keysOf(code: string): string[] {
  const literals = code
    .replace(/\/\/.*$/gm, '')
    .replace(/'[^'\n]*'|`[^`]*`/g, "''")
    .replace(/\(?\{[^{}]*\}\)?\s*(?=\)?\s*=>)/g, '')
    .replace(/const \{[^}]*\} =/g, '')
    .replace(/\(\[[^\]]*\]\) =>/g, '');
  return [...literals.matchAll(/(?<=[{,]\s*)([a-z]\w*)(?=\s*(?::|,|\s\}))/gi)].map((found) => found[1]!);
}

/** Words in the code of each section. */
const documented = new Map(
  read('docs/json.md')
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [title = ''] = section.split('\n', 1);
      const code = [...section.matchAll(/```[\s\S]*?```|`[^`]+`/g)].flatMap(
        ([piece]) => piece.match(/\w+/g) ?? [],
      );
      return [title, new Set(code)];
    }),
);

it.each(Object.entries(SECTION_OF))('every key that %s prints stands in "%s"', (file, section) => {
  const keys = makersIn(read(file)).flatMap(keysOf);
  expect(keys.filter((key) => documented.get(section)?.has(key) !== true)).toEqual([]);
});

it.each(TYPES)('every key of %s: %s stands where it is printed', (file, type, section) => {
  const [, body = ''] = new RegExp(`type ${type} =([\\s\\S]*?)\\n\\n`).exec(read(file)) ?? [];
  const fields = body.replace(/\/\*\*[\s\S]*?\*\//g, '').matchAll(/(?<=[{;]\s*)(\w+)(?=\??:)/g);
  const keys = [...fields].map((found) => found[1]!);
  expect(keys.length).toBeGreaterThan(2);
  expect(keys.filter((key) => documented.get(section)?.has(key) !== true)).toEqual([]);
});

it('nothing else prints JSON', () => {
  const files = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' })
    .map((name) => `src/${name}`)
    .filter((name) => /^src\/(?:commands|outputs|daemon)\/.*\.ts$/.test(name));
  const printing = files.filter((name) => makersIn(read(name)).flatMap(keysOf).length > 0);
  expect(printing.filter((name) => SECTION_OF[name] === undefined)).toEqual([]);
  expect(printing.length).toBeGreaterThan(12);
});
