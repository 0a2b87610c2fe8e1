import { plain } from '../model/text.ts';
import { object, text } from './docker-parse.ts';
import type { RawAnswer } from './exchange.ts';
import type { DockerError } from './types.ts';

/** Throws where the body is not JSON; `what` was asked for. */
export function parseJson(body: Buffer, what: string): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    throw new Error(`Docker answered ${what} with something that is not JSON`);
  }
}

/** Status and Docker's own sentence. */
export function refusal(answer: RawAnswer): DockerError {
  let message = '';
  try {
    message = text(object(JSON.parse(answer.body.toString('utf8')))['message']);
  } catch {
    message = answer.body.toString('utf8', 0, 400);
  }
  const said = plain(message, 300) || 'no reason given';
  return Object.assign(new Error(`Docker said ${answer.status}: ${said}`), { status: answer.status });
}
