import { isAlias, isMap, isScalar, isSeq, visit, type Document, type Node, type ErrorCode } from 'yaml';
import { maskSecrets } from '../model/text.ts';
import type { Problem } from './schema.ts';
import { suggest } from './suggest.ts';

/** What is needed to walk a document: where anchors are, which line a node is in, where problems go. */
export type Reader = {
  contents: unknown;
  /** By name, in the order of the file. Looked up here because the library searches the whole document for every alias. */
  anchors: Map<string, { offset: number; node: Node }[]>;
  lineOf(node: unknown): number;
  problem(level: Problem['level'], node: unknown, key: string | undefined, text: string): void;
};

/** Every anchor of the document, whatever is below it. */
export function anchorsOf(doc: Document): Reader['anchors'] {
  const anchors: Reader['anchors'] = new Map();
  visit(doc, {
    Node(_key, node) {
      if (isAlias(node) || !node.anchor) return;
      const nodes = anchors.get(node.anchor) ?? [];
      nodes.push({ offset: node.range?.[0] ?? 0, node });
      anchors.set(node.anchor, nodes);
    },
  });
  return anchors;
}

type PairOf = { key: string; keyNode: unknown; value: unknown };

/** The keys and values of a map. Anything else there is a problem. */
export function pairs(reader: Reader, node: unknown, path: string | undefined): PairOf[] {
  if (!isMap(node)) {
    const found = isSeq(node) ? 'a list' : 'a single value';
    reader.problem('error', node, path, `expected keys and values like "key: value", found ${found}`);
    return [];
  }
  return node.items.flatMap((pair) => {
    if (isScalar(pair.key)) {
      const value = resolve(reader, pair.value);
      return [{ key: String(pair.key.value), keyNode: pair.key, value }];
    }
    reader.problem('error', pair.key, path, 'expected a plain word as key');
    return [];
  });
}

/** The texts of a scalar or of a list of scalars, as they were written; undefined for anything nested. */
export function textsOf(reader: Reader, node: unknown): string[] | undefined {
  if (isEmpty(node)) return [''];
  if (isScalar(node))
    return [typeof node.value === 'string' ? node.value : (node.source ?? String(node.value))];
  if (!isSeq(node)) return undefined;
  const items = node.items.map((item) => resolve(reader, item));
  if (!items.every((item) => isScalar(item))) return undefined;
  return items.flatMap((item) => textsOf(reader, item) ?? []);
}

/** What an alias stands for; everything else stands for itself. */
export function resolve(reader: Reader, node: unknown): unknown {
  if (!isAlias(node)) return node;
  const offset = node.range?.[0] ?? 0;
  const target = reader.anchors.get(node.source)?.findLast((anchor) => anchor.offset < offset)?.node;
  if (!target) reader.problem('error', node, undefined, yamlErrorText('BAD_ALIAS'));
  return target;
}

export function isEmpty(node: unknown): boolean {
  return node === null || node === undefined || (isScalar(node) && node.value === null);
}

/** Says that a key is not known, and which one was probably meant. */
export function unknownKey(reader: Reader, node: unknown, path: string, known: string[]): void {
  const word = path.slice(path.lastIndexOf('.') + 1);
  const meant = suggest(word, known);
  const text = meant
    ? `is not known and is ignored; did you mean ${meant}?`
    : `is not known and is ignored; known here: ${known.join(', ')}`;
  reader.problem('warning', node, path.slice(0, path.length - word.length) + shownKey(word), text);
}

/** A key that is not shaped like one may be the torn half of a secret. */
export function shownKey(key: string): string {
  return /^[A-Za-z_<][A-Za-z0-9_.<-]{0,39}$/.test(key)
    ? maskSecrets(key)
    : `(a key of ${key.length} characters)`;
}

/**
 * Plain sentences for the errors of the YAML library. Its own messages quote what stands in the file, which may be a secret,
 * and speak of nodes and flow collections.
 */
const SENTENCES: Partial<Record<ErrorCode, string>> = {
  BAD_ALIAS: 'a * begins the name of an anchor that is not in this file; put a text with * in quotes',
  BAD_DIRECTIVE: 'a % at the beginning of a line is for YAML itself; put the text in quotes',
  BAD_DQ_ESCAPE: 'this backslash means nothing inside of "double quotes"; use \'single quotes\'',
  BAD_INDENT: 'the indentation does not fit the lines above, or a bracket there is not closed',
  BAD_SCALAR_START: 'a value cannot begin with this character; put it in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a colon is where none can be; put a value with ": " in it in quotes',
  BLOCK_IN_FLOW: 'inside of brackets, everything has to be written in brackets',
  DUPLICATE_KEY: 'this key is there twice; keep one of the two',
  MISSING_CHAR:
    'something is missing here (a colon, a quote, a bracket, a comma), or the line is not indented like the ones above',
  MULTILINE_IMPLICIT_KEY: 'a key and its colon have to be in one line; perhaps the colon is missing',
  MULTIPLE_DOCS: 'a line of --- begins a second document; this file holds one',
  RESOURCE_EXHAUSTION: 'this is nested too deeply',
  TAB_AS_INDENT: 'there is a tab where YAML wants spaces',
  UNEXPECTED_TOKEN:
    'something stands here that does not belong here; look at quotes, brackets and indentation',
};

/** What is wrong at this place, without quoting it. */
export function yamlErrorText(code: ErrorCode): string {
  return SENTENCES[code] ?? 'this is not YAML; look at indentation, quotes and colons';
}
