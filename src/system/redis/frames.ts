// What a Redis server answers, one value for each command (RESP2):
//   +OK\r\n    -ERR unknown command\r\n    :12\r\n    $5\r\nhello\r\n    $-1\r\n    *2\r\n:1\r\n$1\r\na\r\n
// https://redis.io/docs/latest/develop/reference/protocol-spec/
import { AnswerError, answerBudget, type Budget } from '../answer.ts';

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

type State = {
  budget: Budget;
  /** Answers that may come. */
  expected: number;
  /** Elements that are still to come, of each array that is open. */
  open: number[];
  line: number[] | undefined;
  /** Bytes of a bulk string that are still to come, its line end included. */
  bulk: number;
};

/** Lets only well-formed answers to commands through to the parser, and no more of them than fits. */
export function createRedisFrames(): RedisFrames {
  const state: State = { budget: answerBudget(MAX_BYTES), expected: 0, open: [], line: undefined, bulk: 0 };
  return {
    ask() {
      state.expected += 1;
    },
    take(chunk) {
      for (let at = 0; at < chunk.length;)
        at = state.bulk > 0 ? takeBulk(state, chunk, at) : takeLine(state, chunk, at);
      return chunk;
    },
  };
}

/** A value is complete, and with its last element the array around it. */
function whole(state: State): void {
  while (state.open.length > 0) {
    const left = (state.open.pop() as number) - 1;
    if (left > 0) {
      state.open.push(left);
      return;
    }
  }
  state.expected -= 1;
  state.budget.restart();
}

function endLine(state: State, [type, ...rest]: number[]): void {
  const { budget, expected, open } = state;
  budget.bytes(rest.length + 3);
  const text = Buffer.from(rest).toString('latin1');
  // A server without room for one more says so before it is asked, and hangs up.
  if (type === ERROR && expected === 0) throw new AnswerError(`it says ${text.slice(0, 200)}`);
  if (expected === 0) throw notRedis();
  if (type === STRING || type === ERROR) return whole(state);
  if (!/^[+-]?\d+$/.test(text)) throw notRedis();
  const number = Number(text);
  if (type === INTEGER) return whole(state);
  if (number < -1) throw notRedis();
  if (number === -1 || (type === ARRAY && number === 0)) return whole(state);
  if (type === BULK) {
    budget.bytes(number + 2);
    state.bulk = number + 2;
    return;
  }
  budget.rows(number);
  if (open.length >= MAX_DEPTH) throw notRedis();
  open.push(number);
}

/** Where the next piece begins. */
function takeBulk(state: State, chunk: Buffer, at: number): number {
  const end = Math.min(chunk.length, at + state.bulk);
  for (let i = Math.max(at, at + state.bulk - 2); i < end; i += 1) {
    if (chunk[i] !== (at + state.bulk - i === 2 ? CR : LF)) throw notRedis();
  }
  state.bulk -= end - at;
  if (state.bulk === 0) whole(state);
  return end;
}

function takeLine(state: State, chunk: Buffer, at: number): number {
  const line = (state.line ??= []);
  const byte = chunk[at] as number;
  if (line.length === 0 && ![STRING, ERROR, INTEGER, BULK, ARRAY].includes(byte)) throw notRedis(chunk, at);
  if (byte === LF) {
    if (line.pop() !== CR) throw notRedis();
    state.line = undefined;
    endLine(state, line);
    return at + 1;
  }
  if (line.at(-1) === CR) throw notRedis();
  line.push(byte);
  const text = line[0] === STRING || line[0] === ERROR;
  if (line.length > (text ? MAX_LINE : MAX_NUMBER)) throw notRedis();
  return at + 1;
}

/** Names what it speaks instead where that is plain. */
function notRedis(chunk?: Buffer, at = 0): AnswerError {
  const start = chunk?.toString('latin1', at, at + 5) ?? '';
  if (chunk && TLS.has(chunk[at] as number) && chunk[at + 1] === 3)
    return new AnswerError('it speaks TLS: write rediss:// in REDIS_URL');
  return new AnswerError(`it does not speak Redis${start === 'HTTP/' ? ', but HTTP' : ''}`);
}
