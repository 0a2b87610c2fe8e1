import { errorText, plain } from '../../model/text.ts';
import { AnswerError, parseBoundedJson } from '../answer.ts';
import { object, text } from './parse.ts';
import type { RawAnswer } from '../http/exchange.ts';
import type { DockerError } from '../types.ts';

/** Throws where the body is not JSON, or too large to be taken; `what` was asked for. */
export function parseJson(body: Buffer, what: string): unknown {
  try {
    return parseBoundedJson(body);
  } catch (error) {
    throw new Error(`Docker, asked for ${what}: ${errorText(error)}`, { cause: error });
  }
}

/**
 * Whether an error is about the one thing that was asked for, and says nothing about the engine: it answered, be it that there is no
 * such container or with more than anybody reads (an image may have labels without end).
 */
export function isAboutOne(error: unknown): boolean {
  const { status, code, cause } = error as DockerError & { code?: string };
  return status !== undefined || code === 'ETOOLONG' || cause instanceof AnswerError;
}

/** Status and Docker's own sentence. */
export function refusal(answer: RawAnswer): DockerError {
  let message = '';
  try {
    message = text(object(parseBoundedJson(answer.body))['message']);
  } catch {
    message = answer.body.toString('utf8', 0, 400);
  }
  const reason = plain(message, 300) || 'no reason given';
  return Object.assign(new Error(`Docker said ${answer.status}: ${reason}`), { status: answer.status });
}
