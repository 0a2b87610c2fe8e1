import { plainFailure, failure } from './exchange.ts';
import type { HttpAnswer, HttpRequest } from './types.ts';

/**
 * The same as a direct request, through the proxy of HTTPS_PROXY or HTTP_PROXY (NO_PROXY respected). undici, because node:http
 * knows no proxies; loaded for it alone, since it costs 15 MB.
 */
export async function requestThroughProxy(request: HttpRequest, url: URL): Promise<HttpAnswer> {
  const { EnvHttpProxyAgent, request: send } = await import('undici');
  const agent = new EnvHttpProxyAgent({ keepAliveTimeout: 1 });
  const deadline = AbortSignal.timeout(request.timeoutMs);
  try {
    const answer = await send(url, {
      method: request.method ?? 'GET',
      headers: { 'User-Agent': 'vpsmon', ...request.headers },
      body: request.body ?? null,
      dispatcher: agent,
      signal: request.signal ? AbortSignal.any([request.signal, deadline]) : deadline,
    });
    const maxBytes = request.maxBytes ?? 1_048_576;
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw failure(`${url.host} sent more than ${maxBytes} bytes`, 'ETOOLONG');
      chunks.push(chunk);
    }
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(answer.headers)) {
      if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
    }
    return { status: answer.statusCode, headers, body: Buffer.concat(chunks).toString('utf8') };
  } catch (error) {
    if (deadline.aborted)
      throw failure(
        `no answer from ${url.host} within ${request.timeoutMs / 1000} s (through the proxy)`,
        'ETIMEDOUT',
      );
    throw plainFailure(error, `${url.host} (through the proxy)`);
  } finally {
    await agent.destroy();
  }
}
