// The Docker Engine API over its socket, with node:http. No `docker` process is ever started.
import { withHint } from './address.ts';
import { parseJson } from './answer.ts';
import { call, openEngine, prefixFor, versionOf, whereIs, type Call, type Engine } from './call.ts';
import { followEvents } from './follow.ts';
import { parseLogs } from './logs.ts';
import { object, parseInspect, parseList, parseStats, text } from './parse.ts';
import type { Docker } from '../types.ts';

const MIB = 1_048_576;
/** What was asked for is so already. */
const NOT_MODIFIED = 304;

/**
 * Opens nothing yet: the first call connects. Throws for a DOCKER_HOST that cannot be understood. `deadlineMs`, 5 s as a rule: who
 * has to get through to an engine whose machine thrashes waits longer.
 */
export function openDocker(dockerHost: string, { deadlineMs = 5_000 }: { deadlineMs?: number } = {}): Docker {
  const engine = openEngine(dockerHost, deadlineMs);
  const changeMs = Math.max(20_000, deadlineMs);
  const json = async (options: Call) => parseJson((await call(engine, options)).body, options.path);
  const post = async (path: string, query: Record<string, string>, timeoutMs: number, signal?: AbortSignal) =>
    (await call(engine, { method: 'POST', path, query, timeoutMs, signal })).status !== NOT_MODIFIED;

  return {
    get address() {
      return whereIs(engine).address;
    },
    async version(signal) {
      await call(engine, { path: '/_ping', signal });
      return versionOf(engine);
    },
    async info(signal) {
      const raw = object(await json({ path: '/info', signal }));
      // ["name=seccomp,profile=builtin", "name=rootless"]
      const listed = Array.isArray(raw['SecurityOptions']) ? raw['SecurityOptions'] : [];
      const options = listed.map((one) => /^name=([a-z]+)/.exec(text(one))?.[1]);
      return {
        rootDir: text(raw['DockerRootDir']),
        rootless: options.includes('rootless'),
        userns: options.includes('userns'),
      };
    },
    async list(signal) {
      return parseList(
        await json({ path: '/containers/json', query: { all: '1' }, maxBytes: 32 * MIB, signal }),
      );
    },
    async inspect(id, signal) {
      return parseInspect(await json({ path: `${container(id)}/json`, signal }));
    },
    async logs(id, lines, signal) {
      const query = { stdout: '1', stderr: '1', tail: String(lines) };
      const answer = await call(engine, {
        path: `${container(id)}/logs`,
        query,
        maxBytes: 2 * MIB,
        onTooLong: 'cut',
        signal,
      });
      return parseLogs(answer.body, lines);
    },
    async stats(id, signal) {
      const query = { stream: 'false', 'one-shot': 'true' };
      return parseStats(await json({ path: `${container(id)}/stats`, query, signal }));
    },
    events: (options) => follow(engine, options),
    start: async (id, signal) => void (await post(`${container(id)}/start`, {}, 10_000 + changeMs, signal)),
    stop: (id, graceSec, signal) =>
      post(`${container(id)}/stop`, { t: String(graceSec) }, graceSec * 1000 + changeMs, signal),
    async restart(id, graceSec, signal) {
      const timeoutMs = graceSec * 1000 + 10_000 + changeMs;
      await post(`${container(id)}/restart`, { t: String(graceSec) }, timeoutMs, signal);
    },
    async updateMemory(id, memory, memorySwap, signal) {
      const body = { Memory: memory, MemorySwap: memorySwap };
      await call(engine, {
        method: 'POST',
        path: `${container(id)}/update`,
        body,
        timeoutMs: 30_000,
        signal,
      });
    },
    close() {
      engine.agent.destroy();
    },
  };
}

function container(id: string): string {
  return `/containers/${encodeURIComponent(id)}`;
}

async function follow(engine: Engine, options: Parameters<Docker['events']>[0]): Promise<void> {
  let prefix: string;
  try {
    prefix = await prefixFor(engine, options.signal);
  } catch (error) {
    if (options.signal.aborted) return;
    throw withHint(error as Error, whereIs(engine));
  }
  try {
    await followEvents(whereIs(engine), prefix, {
      ...options,
      podman: versionOf(engine).podman,
      opensWithinMs: engine.deadlineMs,
    });
  } finally {
    // A stream without an end ends when the engine does; the next one may be of another version.
    if (options.until === undefined) engine.known = undefined;
  }
}
