import { errorText, plain } from '../../model/text.ts';
import { parseBoundedJson } from '../answer.ts';
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

/** Status and Docker's own sentence. */
export function refusal(answer: RawAnswer): DockerError {
  let message = '';
  try {
    message = text(object(parseBoundedJson(answer.body))['message']);
  } catch {
    message = answer.body.toString('utf8', 0, 400);
  }
  const said = plain(message, 300) || 'no reason given';
  return Object.assign(new Error(`Docker said ${answer.status}: ${said}`), { status: answer.status });
}
