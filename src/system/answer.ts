// How much of an answer from outside is taken: the one place that bounds PostgreSQL, Redis, HTTP (n8n, WAHA, Telegram) and
// Docker in bytes, rows and time. Who asks for more than this wants somebody's data, not a few numbers.

/** For a whole answer where its reader names no other limit. */
const MAX_BYTES = 8 * 1_048_576;
/** Rows of a result, elements of an array. */
const MAX_ROWS = 10_000;
/** Values in a JSON text: 1,000 containers with 100 labels each. One costs up to 100 bytes of memory, far more than its text. */
const MAX_VALUES = 300_000;
const MAX_DEPTH = 100;

/** The other side sent what no answer may be: too much, or not its protocol. The message is a sentence without its sender. */
export class AnswerError extends Error {}

function tooLarge(what: string): AnswerError {
  return new AnswerError(`the answer is too large (more than ${what})`);
}

function megabytes(bytes: number): string {
  return bytes < 1_048_576 ? `${Math.round(bytes / 1024)} KB` : `${Math.round(bytes / 1_048_576)} MB`;
}

export type Budget = {
  /** Throws an AnswerError when the answer gets larger than it may. */
  bytes(count: number): void;
  rows(count: number): void;
  /** The next answer is counted from here. */
  restart(): void;
};

/** Counts one answer after the other against the limits. */
export function answerBudget(maxBytes = MAX_BYTES, maxRows = MAX_ROWS): Budget {
  let bytes = 0;
  let rows = 0;
  return {
    bytes(count) {
      bytes += count;
      if (bytes > maxBytes) throw tooLarge(megabytes(maxBytes));
    },
    rows(count) {
      rows += count;
      if (rows > maxRows) throw tooLarge(`${maxRows} rows`);
    },
    restart() {
      bytes = 0;
      rows = 0;
    },
  };
}

export type Bytes = { readonly length: number; add(chunk: Buffer): void; all(): Buffer };

/** Bytes that arrive piece by piece, copied together: pieces of one byte, each kept as a Buffer of its own, take a hundred times their size. */
export function gatherBytes(): Bytes {
  let buffer: Buffer = Buffer.alloc(0);
  let length = 0;
  return {
    get length() {
      return length;
    },
    add(chunk) {
      const needed = length + chunk.length;
      if (needed > buffer.length) {
        const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * length));
        buffer.copy(larger, 0, 0, length);
        buffer = larger;
      }
      chunk.copy(buffer, length);
      length = needed;
    },
    all: () => buffer.subarray(0, length),
  };
}

type Stream = { emit(event: string | symbol, ...args: unknown[]): boolean; destroy(error: Error): unknown };

/**
 * Puts a check before a driver's parser: `take` returns the bytes that the parser may see, or throws, which ends the connection
 * with that error. The parsers of pg and ioredis throw out of the socket's data event, or never return, when the other side
 * does not speak their protocol: the end of the whole program. Here it is the end of the connection.
 */
export function guardStream(stream: Stream, take: (chunk: Buffer) => Buffer, otherwise: string): void {
  const emit = stream.emit.bind(stream);
  let ended = false;
  stream.emit = (event, ...args) => {
    if (event !== 'data') return emit(event, ...args);
    if (ended) return true;
    try {
      const checked = take(args[0] as Buffer);
      return checked.length === 0 || emit(event, checked);
    } catch (error) {
      ended = true;
      stream.destroy(error instanceof AnswerError ? error : new AnswerError(otherwise));
      return true;
    }
  };
}

/** Bytes of JSON as a value. Throws an AnswerError where it is none, is nested too deeply or holds too many values. */
export function parseBoundedJson(body: Buffer | string): unknown {
  const text = typeof body === 'string' ? body : body.toString('utf8');
  countValues(text);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new AnswerError('the answer is not JSON');
  }
}

/** A text of 32 MB may be an array of 16 million arrays, which would fill gigabytes. */
function countValues(text: string): void {
  let values = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) at = endOfString(text, at);
    else if (char === COMMA) values += 1;
    else if (char === OPEN_LIST || char === OPEN_OBJECT) {
      values += 1;
      depth += 1;
      if (depth > MAX_DEPTH) throw new AnswerError('the answer is nested too deeply');
    } else if (char === CLOSE_LIST || char === CLOSE_OBJECT) depth -= 1;
    if (values > MAX_VALUES) throw tooLarge(`${MAX_VALUES} values`);
  }
}

const [QUOTE, BACKSLASH, COMMA, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [
  34, 92, 44, 91, 93, 123, 125,
];

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const char = text.charCodeAt(at);
    if (char === BACKSLASH) at += 1;
    else if (char === QUOTE) return at;
  }
  return text.length;
}

/** An answer that did not come in time. */
export class Late extends Error {}

/** Rejects with `Late` after `ms` and then calls `abandon`; the promise that is left behind may fail unheard. */
export async function within<T>(promise: Promise<T>, ms: number, abandon: () => void): Promise<T> {
  promise.catch(() => {});
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => {
        reject(new Late(`no answer within ${Math.max(0, ms / 1000).toFixed(1)} s`));
        abandon();
      },
      Math.max(0, ms),
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** An error whose text is one plain sentence for people already. `code` is that of the error behind it. */
export class Explained extends Error {
  readonly code: string | undefined;
  constructor(text: string, code?: string) {
    super(text);
    this.code = code;
  }
}

/** One plain sentence, made by `sentence`, that says what a person can do something about. Keeps `code`; what is explained stays. */
export function explained(
  error: unknown,
  sentence: (error: unknown, code: string | undefined) => string,
): Explained {
  if (error instanceof Explained) return error;
  const code = (error as { code?: string } | undefined)?.code;
  return new Explained(sentence(error, code), code);
}
