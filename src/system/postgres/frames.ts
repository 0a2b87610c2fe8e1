import { AnswerError, answerBudget, gatherBytes, type Budget } from '../answer.ts';

/**
 * What a PostgreSQL server sends is messages of one letter, a length and a body:
 *   52 | 00 00 00 08 | 00 00 00 00        AuthenticationOk
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
const KNOWN = new Set(Buffer.from('123ACDEGHIKNRSTVWZcdnstv'));
const ERROR = 'E'.charCodeAt(0);
const NOTICE = 'N'.charCodeAt(0);
const HEADER = 5;
const ROW = 'D'.charCodeAt(0);
const MAX_MESSAGE_BYTES = 1024 * 1024;

export type Frames = {
  /** Whole messages that may be parsed, held back until they are complete. Throws an AnswerError on anything else. */
  take(chunk: Buffer): Buffer;
  /** The next answer is counted from here. */
  startAnswer(): void;
};

/** Lets only well-formed messages through to the parser, and no more of them than fits. */
export function createFrames(): Frames {
  let rest = gatherBytes();
  /** Bytes of the message that `rest` begins with, as far as they are known: before that many, there is nothing to look at. */
  let needed = 0;
  const budget = answerBudget();
  return {
    startAnswer: () => budget.restart(),
    take(chunk) {
      budget.bytes(chunk.length);
      rest.add(chunk);
      if (rest.length < needed) return chunk.subarray(0, 0);
      const data = rest.all();
      const end = endOfWhole(data, budget);
      rest = gatherBytes();
      rest.add(data.subarray(end));
      needed = rest.length < HEADER ? 0 : 1 + data.readUInt32BE(end + 1);
      return data.subarray(0, end);
    },
  };
}

function endOfWhole(data: Buffer, budget: Budget): number {
  let offset = 0;
  while (offset < data.length) {
    if (!KNOWN.has(data[offset] as number)) throw new AnswerError('it does not speak PostgreSQL');
    if (offset + HEADER > data.length) break;
    const length = data.readUInt32BE(offset + 1);
    if (length < 4) throw new AnswerError('it does not speak PostgreSQL');
    if (length > MAX_MESSAGE_BYTES)
      throw new AnswerError('one row is larger than 1 MB, or it does not speak PostgreSQL');
    if (offset + 1 + length > data.length) break;
    if (data[offset] === ROW) budget.rows(1);
    check(data, offset, offset + 1 + length);
    offset += 1 + length;
  }
  return offset;
}

/** pg-protocol looks for the end of an error's fields for ever where there is none (parser.js, parseErrorMessage). */
function check(data: Buffer, start: number, end: number): void {
  const type = data[start];
  if (type !== ERROR && type !== NOTICE) return;
  const ends = data[end - 1] === 0 && (end - start === HEADER + 1 || data[end - 2] === 0);
  if (!ends) throw new AnswerError('it does not speak PostgreSQL');
}
