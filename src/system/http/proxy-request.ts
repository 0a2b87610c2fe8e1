import { answerBudget, gatherBytes } from '../answer.ts';
import { plainFailure, failure } from './exchange.ts';
import type { HttpAnswer, HttpRequest } from '../types.ts';

/**
 * The same as a direct request, through the proxy of HTTPS_PROXY or HTTP_PROXY (NO_PROXY respected). undici, because node:http
 * knows no proxies; loaded for it alone, since it costs 15 MB.
 */
export async function requestThroughProxy(request: HttpRequest, url: URL): Promise<HttpAnswer> {
  const { EnvHttpProxyAgent, request: send } = await import('undici');
  const agent = new EnvHttpProxyAgent({ keepAliveTimeout: 1 });
  // One controller for both: a signal made of others may be collected while it is waited for (Node 20).
  const stop = new AbortController();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    stop.abort();
  }, request.timeoutMs);
  const onAbort = (): void => stop.abort();
  request.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const answer = await send(url, {
      method: request.method ?? 'GET',
      headers: { 'User-Agent': 'vpsmon', ...request.headers },
      body: request.body ?? null,
      dispatcher: agent,
      signal: stop.signal,
    });
    const budget = answerBudget(request.maxBytes ?? 1_048_576);
    const bytes = gatherBytes();
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      budget.bytes(chunk.length);
      bytes.add(chunk);
    }
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(answer.headers)) {
      if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
    }
    return { status: answer.statusCode, headers, body: bytes.all().toString('utf8') };
  } catch (error) {
    if (late)
      throw failure(
        `no answer from ${url.host} within ${request.timeoutMs / 1000} s (through the proxy)`,
        'ETIMEDOUT',
      );
    throw plainFailure(error, `${url.host} (through the proxy)`);
  } finally {
    clearTimeout(timer);
    request.signal?.removeEventListener('abort', onAbort);
    await agent.destroy();
  }
}
