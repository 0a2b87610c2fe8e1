import { isAlias, isMap, isScalar, isSeq, visit, type Document, type Node } from 'yaml';
import { maskSecrets } from '../model/text.ts';
import type { Problem } from './schema.ts';
import { suggest } from './suggest.ts';
import { yamlErrorText } from './yaml-errors.ts';

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
