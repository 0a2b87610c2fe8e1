import * as v from 'valibot';
import type { HttpTarget } from '../model/targets.ts';
import { errorText, plain } from '../model/text.ts';
import { parseBoundedJson } from '../system/answer.ts';
import { addressOf, requestApp, type App } from '../system/apps/request.ts';
import type { HttpAnswer } from '../system/types.ts';
import type { CollectorDeps } from './types.ts';

const TIMEOUT_MS = 4000;

/** An application, where it is and what its key is. */
export type Program = HttpTarget & { app: App };
type Ask<S> = {
  schema: S;
  signal: AbortSignal;
  maxBytes?: number;
  withKey?: boolean;
};

/** GET below the target's address. Throws one plain sentence when there is no answer. */
export async function ask(
  deps: Pick<CollectorDeps, 'system' | 'rediscover'>,
  target: Program,
  path: string,
  options: Omit<Ask<unknown>, 'schema'>,
): Promise<HttpAnswer> {
  try {
    return await requestApp(deps.system.http, target.app, target, {
      path,
      timeoutMs: TIMEOUT_MS,
      ...options,
    });
  } catch (error) {
    deps.rediscover();
    throw new Error(`${target.app.name}: ${errorText(error)}`, { cause: error });
  }
}

/** The same, with the answer read as JSON of the given shape. Throws one plain sentence for everything else. */
export async function askJson<S extends v.GenericSchema>(
  deps: Pick<CollectorDeps, 'system' | 'rediscover'>,
  target: Program,
  path: string,
  options: Ask<S>,
): Promise<{ value: v.InferOutput<S>; address: string }> {
  const { app } = target;
  const address = addressOf(target.url);
  const answer = await ask(deps, target, path, options);
  if (answer.status === 401 || answer.status === 403) {
    const what = target.apiKey ? 'refuses the API key' : 'asks for an API key';
    throw new Error(`${app.name} at ${address} ${what}; set ${app.setting} to one that it accepts`);
  }
  if (answer.status !== 200) {
    throw new Error(`${app.name} at ${address} answered ${answer.status}${bodyText(answer.body)}`);
  }
  const parsed = v.safeParse(options.schema, json(answer.body));
  if (!parsed.success) throw new Error(`${app.name} at ${address} answered something else than expected`);
  return { value: parsed.output, address };
}

function json(text: string): unknown {
  try {
    return parseBoundedJson(text);
  } catch {
    return undefined;
  }
}

/** The message of a JSON error body; anything else is left out, for it may hold anything. */
function bodyText(body: string): string {
  const parsed = v.safeParse(v.object({ message: v.string() }), json(body));
  return parsed.success ? `: ${plain(parsed.output.message, 120)}` : '';
}
