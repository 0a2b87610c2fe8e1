// What is parsed:
//
//   # a comment            ; as well
//   TELEGRAM_CHAT_ID="-1001234567890"
//   export LOG_LEVEL='INFO'
//   SERVICE_CHECK_INTERVAL=30          # a comment after white space
//
// Quotes, backslashes and line continuation are read as systemd reads an EnvironmentFile (systemd.exec(5)), which is what a
// shell does, too. Two things are deliberately different: a comment may follow a value, because the documentation that
// people copy from has some, and a quote must be closed on its own line, so that one missing quote is one clear error
// instead of a file whose second half is the value of one key.

export type ConfEntry = { key: string; value: string; line: number };
/** Never holds a value: what stands on a broken line may be a secret. */
export type ConfProblem = { level: 'error' | 'warning'; line: number; key?: string; text: string };

const KEY = /^[A-Za-z_][A-Za-z0-9_.-]*$/;
/** systemd's own limit for a line is 1 MiB; no setting needs a thousandth of that. */
const MAX_LINE = 32_768;

/** Takes a flat KEY=value file apart. Never throws; every line that cannot be understood is a problem with its number. */
export function parseConf(text: string): { entries: ConfEntry[]; problems: ConfProblem[] } {
  const entries: ConfEntry[] = [];
  const problems: ConfProblem[] = [];
  for (const { content, line } of logicalLines(text)) {
    const trimmed = content.trim();
    if (trimmed === '' || trimmed.startsWith('#') || trimmed.startsWith(';')) continue;
    const assignment = parseAssignment(trimmed);
    if ('problem' in assignment) {
      problems.push({ level: 'error', line, ...assignment.problem });
      continue;
    }
    entries.push({ key: assignment.key, value: assignment.value, line });
    if (assignment.warning !== undefined) {
      problems.push({ level: 'warning', line, key: assignment.key, text: assignment.warning });
    }
  }
  return { entries, problems };
}

/** Lines with their numbers; one that ends in a backslash goes on in the next. A comment never does. */
function* logicalLines(text: string): Generator<{ content: string; line: number }> {
  const lines = text.split(/\r\n|\n|\r/);
  for (let i = 0; i < lines.length; i += 1) {
    const line = i + 1;
    const pieces = [lines[i]!];
    if (!/^\s*[#;]/.test(lines[i]!)) {
      while (isContinued(lines[i]!) && i + 1 < lines.length) {
        i += 1;
        pieces[pieces.length - 1] = pieces.at(-1)!.slice(0, -1);
        pieces.push(lines[i]!);
      }
    }
    yield { content: pieces.join(''), line };
  }
}

/** Ends in an odd number of backslashes: an even number is written-out backslashes. */
export function isContinued(line: string): boolean {
  let count = 0;
  while (line[line.length - 1 - count] === '\\') count += 1;
  return count % 2 === 1;
}

type Assignment =
  { key: string; value: string; warning?: string } | { problem: { key?: string; text: string } };

function parseAssignment(line: string): Assignment {
  if (line.length > MAX_LINE) return { problem: { text: 'this line is too long to be a setting' } };
  const withoutExport = line.replace(/^export\s+/, '');
  const equals = withoutExport.indexOf('=');
  if (equals < 0) return { problem: { text: noAssignment(withoutExport) } };
  const key = withoutExport.slice(0, equals).trim();
  if (!KEY.test(key)) return { problem: { text: badKey(key, withoutExport) } };
  const value = readValue(withoutExport.slice(equals + 1));
  if ('problem' in value) return { problem: { key, text: value.problem } };
  return { key, ...value };
}

function noAssignment(line: string): string {
  const colon = /^([A-Z][A-Z0-9_]{2,63})\s*:/.exec(line);
  if (colon) return `expected ${colon[1]}=value: this file has an equals sign where YAML has a colon`;
  const word = /^([A-Z][A-Z0-9_]{2,63})(?:\s|$)/.exec(line);
  if (word) return `expected ${word[1]}=value, found no equals sign`;
  return 'expected KEY=value or a comment that begins with #; this file is read as settings, not run as a shell script';
}

function badKey(key: string, line: string): string {
  if (key === '') return 'expected KEY=value, found no key before the equals sign';
  if (/^[A-Z][A-Z0-9_]{2,63}\s*:/.test(line)) return noAssignment(line);
  if (/^(?:if|for|then|do|done|fi|declare|readonly|local|set|\[)\b|^[[({]/.test(key)) return noAssignment('');
  return 'expected KEY=value, where the key has only letters, digits and underscores';
}

/** The value after the equals sign: quoted parts, then an unquoted one, then perhaps a comment. */
function readValue(text: string): { value: string; warning?: string } | { problem: string } {
  let value = '';
  let rest = /^\s*["']/.test(text) ? text.trimStart() : text;
  // As in systemd, a quote is special at the beginning only: it's is a value like any other.
  while (rest.startsWith('"') || rest.startsWith("'")) {
    const quoted = readQuoted(rest);
    if (!quoted) return { problem: `the ${rest[0]} that begins the value is never closed` };
    value += quoted.value;
    rest = rest.slice(quoted.length);
    if (/^\s+(?!#)\S/.test(rest)) return { problem: afterQuote };
    if (/^\s/.test(rest)) rest = '';
  }
  const bare = readUnquoted(rest);
  const whole = value + bare.value;
  return bare.dropped ? { value: whole, warning: backslash } : { value: whole };
}

function readUnquoted(text: string): { value: string; dropped: boolean } {
  const comment = /\s#/.exec(text);
  const bare = (comment ? text.slice(0, comment.index) : text).trim();
  const value = bare.replace(/\\(.)/g, '$1');
  return { value, dropped: value !== bare };
}

const afterQuote = 'something stands after the closing quote: put the whole value into one pair of quotes';
const backslash =
  "a backslash outside quotes was taken out, as systemd and shells do; if it belongs to the value, put the value in 'single quotes'";

/** What the quotes at the beginning enclose, and how long it is with them; undefined where they are never closed. */
function readQuoted(text: string): { value: string; length: number } | undefined {
  const single = /^'([^']*)'/.exec(text);
  if (single) return { value: single[1]!, length: single[0].length };
  // Between double quotes a backslash is special before these four only, and belongs to the value elsewhere.
  const double = /^"((?:\\["\\`$]|\\(?!["\\`$])|[^"\\])*)"/.exec(text);
  return double ? { value: double[1]!.replace(/\\(["\\`$])/g, '$1'), length: double[0].length } : undefined;
}
