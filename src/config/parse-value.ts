import { SSL_MODES } from '../model/targets.ts';
import { plain, maskSecrets } from '../model/text.ts';
import type { KeyKind } from './schema.ts';

export type Value = string | number | boolean | string[];
/** `expected` completes the sentence "expected ..."; `advice` is a sentence of its own. */
export type Wrong = { expected: string; advice?: string };
export type Parsed = { value: Value } | Wrong;

/** The sentence about a value that is wrong; `found` is what stands there. */
export function wrongText({ expected, advice }: Wrong, found: string): string {
  return `expected ${expected}, found ${found}${advice === undefined ? '' : `. ${advice.replace(/\.$/, '')}`}`;
}

/** Reads the text of one setting as its definition wants it. Numbers, switches and choices that are empty are the default. */
export function parseValue(definition: KeyKind, text: string): Parsed {
  const raw = text.trim();
  switch (definition.type) {
    case 'int':
    case 'number':
      return raw === '' ? { value: definition.default } : parseNumber(definition, raw);
    case 'bool':
      return raw === '' ? { value: definition.default } : parseBool(raw);
    case 'choice':
      return raw === '' ? { value: definition.default } : parseChoice(definition.values, raw);
    case 'list':
      return { value: [...new Set(raw.split(/[\s,;]+/).filter((item) => item !== ''))] };
    case 'url':
      return raw === '' ? { value: definition.default } : parseUrl(definition, raw);
    case 'listen':
      return parseAddress(raw);
    case 'secret':
    case 'text':
      return { value: text };
  }
}

type NumberDefinition = Extract<KeyKind, { type: 'int' | 'number' }>;

function parseNumber(definition: NumberDefinition, raw: string): Parsed {
  const { type, min, max } = definition;
  const expected = `a ${type === 'int' ? 'whole ' : ''}number from ${min} to ${max}`;
  const wellFormed = type === 'int' ? /^[+-]?\d+$/ : /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)$/;
  if (!wellFormed.test(raw)) {
    const bare = /^([+-]?\d+)(?:\.\d+)?\s*[a-zA-Z%]+$/.exec(raw);
    return bare ? { expected, advice: 'Write the number without a unit.' } : { expected };
  }
  const value = Number(raw);
  if (value < min) return { expected, advice: `The lowest allowed value is ${min}.` };
  if (value > max) return { expected, advice: `The highest allowed value is ${max}.` };
  return { value };
}

function parseBool(raw: string): Parsed {
  if (/^(?:true|yes|on|1|enabled?)$/i.test(raw)) return { value: true };
  if (/^(?:false|no|off|0|disabled?)$/i.test(raw)) return { value: false };
  return { expected: 'true or false' };
}

/** Level names of bash and Python scripts that have an equal here. */
const CHOICE_ALIASES: Record<string, string> = { WARN: 'WARNING', CRITICAL: 'ERROR', FATAL: 'ERROR' };

function parseChoice(values: readonly string[], raw: string): Parsed {
  const wanted = raw.toUpperCase();
  const value = values.find((v) => v.toUpperCase() === wanted) ?? CHOICE_ALIASES[wanted];
  if (value !== undefined && values.includes(value)) return { value };
  return { expected: `${values.slice(0, -1).join(', ')} or ${values.at(-1)}` };
}

function parseUrl(definition: Extract<KeyKind, { type: 'url' }>, raw: string): Parsed {
  const protocols = definition.protocols.map((p) => `${p}//`);
  const schemes = `${protocols.slice(0, -1).join(', ')} or ${protocols.at(-1)}`;
  const expected = `an address that begins with ${schemes}`;
  if (/\s/.test(raw)) return { expected, advice: 'An address has no spaces.' };
  // "localhost:3000" parses as a URL of the protocol "localhost:".
  if (!raw.includes('://')) {
    const local = /:\d+\/?$/.test(raw) || !raw.includes('.');
    const scheme = local ? definition.protocols[0] : definition.protocols[1];
    return { expected, advice: `Put ${scheme}// in front of it.` };
  }
  if (!URL.canParse(raw)) return { expected };
  const url = new URL(raw);
  if (!definition.protocols.includes(url.protocol)) return { expected };
  // A database URL may go to a socket folder, which leaves the host empty.
  const needsHost = url.protocol.startsWith('http');
  if (needsHost && url.hostname === '') return { expected };
  const mode = url.searchParams.get('sslmode');
  // A mistyped `verify-full` would otherwise be no TLS at all.
  if (url.protocol.startsWith('postgres') && mode !== null && !SSL_MODES.some((one) => one === mode))
    return { expected: `an address whose sslmode is ${SSL_MODES.slice(0, -1).join(', ')} or verify-full` };
  return { value: raw };
}

function parseAddress(raw: string): Parsed {
  if (raw === '') return { value: '' };
  try {
    parseListen(raw);
    return { value: raw };
  } catch {
    return {
      expected:
        'an address and a port like 127.0.0.1:8080, [::1]:8080, :8080 or 8080, or nothing to switch it off',
    };
  }
}

/** What stands there, for people. Values that may hold a secret are only measured. */
export function describeValue(definition: Pick<KeyKind, 'type'>, raw: string): string {
  if (raw.trim() === '') return 'nothing';
  if (definition.type === 'secret') return `a value of ${raw.length} characters`;
  if (definition.type === 'url') {
    const scheme = /^([a-z][a-z0-9+.-]{0,20}:\/\/)/i.exec(raw)?.[1];
    return scheme ? `an address of ${raw.length} characters that begins with ${scheme}` : measured(raw);
  }
  // A quote or an equals sign inside: the rest of another line, which may hold a secret, ran into this one.
  if (/['"=]/.test(raw)) return `a value of ${raw.length} characters`;
  return `"${maskSecrets(plain(raw, 60))}"`;
}

/** An address without a scheme is shown where it holds nothing that could be a password. */
function measured(raw: string): string {
  return /^[\w.-]+(?::\d+)?\/?$/.test(raw) && raw.length < 60
    ? `"${raw}"`
    : `a value of ${raw.length} characters`;
}

/** Takes `host:port`, `:port`, `port` or `[::1]:port` apart; the host defaults to loopback, `*` is every one. Throws with what was expected. */
export function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:(?:\[([0-9a-fA-F:.%]+)\]|([^:\s[\]]*)):)?(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  if (!match || port > 65_535) {
    throw new Error(
      `expected an address and a port like 127.0.0.1:8080, [::1]:8080 or 8080, found "${text}"`,
    );
  }
  const host = match[1] ?? (match[2] || '127.0.0.1');
  return { host: host === '*' ? '0.0.0.0' : host, port };
}
