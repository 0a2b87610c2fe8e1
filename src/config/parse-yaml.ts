// What is parsed:
//
//   services:
//     - name: n8n
//       cooldown_minutes: 30
//   silences:
//     - { subject: all, days: [sun], from: 02:00, to: 03:00 }
//
// The document is walked by hand along the table in yaml-shape.ts, and not turned into a plain object first: the nodes know
// their lines, and an alias that refers to itself a billion times costs nothing when nobody expands it.

import { isMap, isSeq, LineCounter, parseDocument, type Node } from 'yaml';
import { maskSecrets, plain } from '../model/text.ts';
import type { RawSetting } from './layers.ts';
import { wrongText } from './parse-value.ts';
import type { Problem } from './schema.ts';
import { parseField, takesList } from './yaml-fields.ts';
import { SECTIONS, type Field, type Shape } from './yaml-shape.ts';
import {
  yamlErrorText,
  anchorsOf,
  isEmpty,
  pairs,
  resolve,
  shownKey,
  textsOf,
  unknownKey,
  type Reader,
} from './yaml-nodes.ts';

type Values = Record<string, unknown>;
/** What stands in the file, checked field by field; `line`: where an item of a list begins. */
export type YamlContent = {
  settings: RawSetting[];
  maps: { n8n: Values; recovery: Values };
  lists: { services: Item[]; sql_metrics: Item[]; silences: Item[] };
  problems: Problem[];
};
export type Item = { values: Values; path: string; line: number };

/** Reads vpsmon.yaml as far as it can be understood. Never throws; everything wrong is a problem with its line. */
export function parseYaml(text: string, file: string): YamlContent {
  const content: YamlContent = {
    settings: [],
    maps: { n8n: {}, recovery: {} },
    lists: { services: [], sql_metrics: [], silences: [] },
    problems: [],
  };
  try {
    readDocument(text, file, content);
  } catch {
    // The parser is recursive, and 100,000 brackets are deeper than any stack.
    content.problems.push({ level: 'error', file, text: 'cannot be read as YAML: it is nested too deeply' });
  }
  return content;
}

function readDocument(text: string, file: string, content: YamlContent): void {
  const counter = new LineCounter();
  const doc = parseDocument(text, { lineCounter: counter, prettyErrors: false, logLevel: 'error' });
  const lineAt = (offset: number): number => Math.max(1, counter.linePos(offset).line);
  // One mistake often makes the rest of its line a mistake, too.
  const seen = new Set<number>();
  for (const error of doc.errors) {
    const line = lineAt(error.pos[0]);
    if (seen.has(line) || seen.size >= 20) continue;
    seen.add(line);
    content.problems.push({ level: 'error', file, line, text: yamlErrorText(error.code) });
  }
  if (doc.errors.length > 0) return;
  const lineOf = (node: unknown): number => lineAt((node as Node | null)?.range?.[0] ?? 0);
  const reader: Reader = {
    contents: doc.contents,
    anchors: anchorsOf(doc),
    lineOf,
    problem(level, node, key, problemText) {
      const named = key === undefined ? {} : { key };
      content.problems.push({ level, file, line: lineOf(node), ...named, text: problemText });
    },
  };
  readTop(reader, file, content);
}

function readTop(reader: Reader, file: string, content: YamlContent): void {
  const top = resolve(reader, reader.contents);
  if (isEmpty(top)) return;
  for (const { key, keyNode, value } of pairs(reader, top, undefined)) {
    if (!Object.hasOwn(SECTIONS, key)) {
      unknownKey(reader, keyNode, key, Object.keys(SECTIONS));
      continue;
    }
    if (isEmpty(value)) continue;
    if (key === 'settings') content.settings.push(...readSettings(reader, value, file));
    else if (key === 'n8n' || key === 'recovery')
      content.maps[key] = readMap(reader, value, SECTIONS[key].shape, key);
    else {
      const section = key as keyof YamlContent['lists'];
      content.lists[section] = readList(reader, value, SECTIONS[section].shape, section);
    }
  }
}

function readSettings(reader: Reader, node: unknown, file: string): RawSetting[] {
  return pairs(reader, node, 'settings').flatMap(({ key, keyNode, value }) => {
    const texts = textsOf(reader, value);
    const line = reader.lineOf(keyNode);
    if (texts) return [{ key, text: texts.join(','), file, line }];
    reader.problem('error', keyNode, `settings.${shownKey(key)}`, 'expected one value, found a nested one');
    return [];
  });
}

function readList(reader: Reader, node: unknown, shape: Shape, path: string): Item[] {
  if (!isSeq(node)) {
    reader.problem('error', node, path, `expected a list: lines that begin with "- "`);
    return [];
  }
  return node.items.map((raw, index) => {
    const item = resolve(reader, raw);
    const itemPath = `${path}[${index}]`;
    return { values: readMap(reader, item, shape, itemPath), path: itemPath, line: reader.lineOf(item) };
  });
}

function readMap(reader: Reader, node: unknown, shape: Shape, path: string): Values {
  const values: Values = {};
  const given = pairs(reader, node, path);
  for (const { key, keyNode, value } of given) {
    const field = Object.hasOwn(shape, key) ? shape[key] : undefined;
    if (!field) {
      unknownKey(reader, keyNode, `${path}.${key}`, Object.keys(shape));
      continue;
    }
    const parsed = readField(reader, value, field);
    if ('value' in parsed) values[camel(key)] = parsed.value;
    else reader.problem('error', keyNode, `${path}.${key}`, parsed.problem);
  }
  if (!isMap(node)) return values;
  for (const [key, field] of Object.entries(shape)) {
    if (!field.required || given.some((pair) => pair.key === key)) continue;
    reader.problem('error', node, `${path}.${key}`, `is missing. ${field.help.replace(/\.$/, '')}`);
  }
  return values;
}

function readField(reader: Reader, node: unknown, field: Field): { value: unknown } | { problem: string } {
  const texts = textsOf(reader, node);
  if (!texts || (isSeq(node) && !takesList(field))) {
    const what = takesList(field) ? 'a list of single values' : 'a single value';
    return { problem: `expected ${what}, found ${isMap(node) ? 'keys and values' : 'a list'}` };
  }
  const parsed = parseField(field, texts);
  if ('value' in parsed) return { value: parsed.value };
  const found = texts.join('').trim() === '' ? 'nothing' : `"${maskSecrets(plain(texts.join(', '), 60))}"`;
  return { problem: wrongText(parsed, found) };
}

function camel(key: string): string {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
