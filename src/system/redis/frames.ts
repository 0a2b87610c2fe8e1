// What a Redis server answers, one value for each command (RESP2):
//   +OK\r\n    -ERR unknown command\r\n    :12\r\n    $5\r\nhello\r\n    $-1\r\n    *2\r\n:1\r\n$1\r\na\r\n
// https://redis.io/docs/latest/develop/reference/protocol-spec/
import { AnswerError, answerBudget } from '../answer.ts';

const CR = 13;
const LF = 10;
const [STRING, ERROR, INTEGER, BULK, ARRAY] = Buffer.from('+-:$*') as unknown as [
  number,
  number,
  number,
  number,
  number,
];
/** TLS records: alert and handshake. */
const TLS = new Set([0x15, 0x16]);
const MAX_LINE = 64 * 1024;
const MAX_NUMBER = 24;
const MAX_DEPTH = 8;
const MAX_BYTES = 8 * 1_048_576;

export type RedisFrames = {
  /** The chunk itself, when all of it is well-formed. Throws an AnswerError on anything else. */
  take(chunk: Buffer): Buffer;
  /** One more command is sent: one more answer may come. */
  ask(): void;
};

/** Lets only well-formed answers to commands through to the parser, and no more of them than fits. */
export function createRedisFrames(): RedisFrames {
  const budget = answerBudget(MAX_BYTES);
  let expected = 0;
  /** Elements that are still to come, of each array that is open. */
  let open: number[] = [];
  let line: number[] | undefined;
  /** Bytes of a bulk string that are still to come, its line end included. */
  let bulk = 0;

  function whole(): void {
    while (open.length > 0) {
      const left = (open.pop() as number) - 1;
      if (left > 0) {
        open.push(left);
        return;
      }
    }
    expected -= 1;
    budget.restart();
  }

  function endLine([type, ...rest]: number[]): void {
    budget.bytes(rest.length + 3);
    const text = Buffer.from(rest).toString('latin1');
    // A server without room for one more says so before it is asked, and hangs up.
    if (type === ERROR && expected === 0) throw new AnswerError(`it says ${text.slice(0, 200)}`);
    if (expected === 0) throw notRedis();
    if (type === STRING || type === ERROR) return whole();
    if (!/^[+-]?\d+$/.test(text)) throw notRedis();
    const number = Number(text);
    if (type === INTEGER) return whole();
    if (number < -1) throw notRedis();
    if (type === BULK) return startBulk(number);
    return startArray(number);
  }

  function startBulk(length: number): void {
    if (length === -1) return whole();
    budget.bytes(length + 2);
    bulk = length + 2;
  }

  function startArray(length: number): void {
    if (length < 1) return whole();
    budget.rows(length);
    if (open.length >= MAX_DEPTH) throw notRedis();
    open.push(length);
  }

  /** Where the next piece begins. */
  function takeBulk(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + bulk);
    for (let i = Math.max(at, at + bulk - 2); i < end; i += 1) {
      if (chunk[i] !== (at + bulk - i === 2 ? CR : LF)) throw notRedis();
    }
    bulk -= end - at;
    if (bulk === 0) whole();
    return end;
  }

  function takeLine(chunk: Buffer, at: number): number {
    line ??= [];
    const byte = chunk[at] as number;
    if (line.length === 0 && ![STRING, ERROR, INTEGER, BULK, ARRAY].includes(byte)) throw notRedis(chunk, at);
    if (byte === LF) {
      if (line.pop() !== CR) throw notRedis();
      const complete = line;
      line = undefined;
      endLine(complete);
      return at + 1;
    }
    if (line.at(-1) === CR) throw notRedis();
    line.push(byte);
    const text = line[0] === STRING || line[0] === ERROR;
    if (line.length > (text ? MAX_LINE : MAX_NUMBER)) throw notRedis();
    return at + 1;
  }

  return {
    ask() {
      expected += 1;
    },
    take(chunk) {
      for (let at = 0; at < chunk.length;) at = bulk > 0 ? takeBulk(chunk, at) : takeLine(chunk, at);
      return chunk;
    },
  };
}

/** Names what it speaks instead where that is plain. */
function notRedis(chunk?: Buffer, at = 0): AnswerError {
  const start = chunk?.toString('latin1', at, at + 5) ?? '';
  if (chunk && TLS.has(chunk[at] as number) && chunk[at + 1] === 3)
    return new AnswerError('it speaks TLS: write rediss:// in REDIS_URL');
  return new AnswerError(`it does not speak Redis${start === 'HTTP/' ? ', but HTTP' : ''}`);
}
