import { join } from 'node:path';
import * as v from 'valibot';
import { parseListen } from '../config/parse-value.ts';
import { MONITOR_SOCKET } from '../config/state-dir.ts';
import { errorText, formatDuration, plain } from '../model/text.ts';
import type { Http } from '../system/types.ts';
import { failed, ok, warning, type Line } from './types.ts';

/** Fields used of the monitor's answer to /health. */
const Text = v.pipe(
  v.string(),
  v.transform((text) => plain(text, 500)),
);
const Answer = v.object({
  status: Text,
  reasons: v.fallback(v.pipe(v.array(Text), v.maxLength(100)), []),
  version: v.fallback(Text, ''),
  last_check: v.fallback(v.nullable(v.object({ age_seconds: v.number(), took_ms: v.number() })), null),
  services_monitored: v.number(),
  docker_events: v.fallback(v.optional(v.object({ state: Text, why: v.nullable(Text) })), undefined),
});
export type HealthAnswer = v.InferOutput<typeof Answer>;

/**
 * Asks the running monitor how it is: on its socket in the state folder, which only its owner may use. What answers at HTTP_LISTEN
 * alone may be a monitor in a container, or any local user who pretends to be one: only who may not use the socket has to believe it.
 * Undefined when there is neither.
 */
export async function askHealth(
  http: Http,
  { listen, stateDir }: { listen: string; stateDir: string },
): Promise<HealthAnswer | { why: string } | undefined> {
  const socketPath = join(stateDir, MONITOR_SOCKET);
  const own = await ask(http, { url: 'http://localhost/health', socketPath }, socketPath);
  if (!('why' in own)) return own;
  if (listen === '') return undefined;
  const { host, port } = parseListen(listen);
  // A monitor that listens everywhere is asked on loopback.
  const address =
    host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host;
  const there = await ask(http, { url: `http://${address}:${port}/health` }, listen);
  if ('why' in there || own.code === 'EACCES') return there;
  return {
    why: `none uses ${stateDir}; what answers on ${listen} has another state folder, as one in a container has, or is no monitor`,
  };
}

async function ask(
  http: Http,
  where: { url: string; socketPath?: string },
  name: string,
): Promise<HealthAnswer | { why: string; code?: string | undefined }> {
  try {
    const answer = await http({ ...where, timeoutMs: 5000 });
    const body = v.safeParse(Answer, JSON.parse(answer.body));
    return body.success ? body.output : { why: `another program answers on ${name}` };
  } catch (error) {
    if (error instanceof SyntaxError) return { why: `another program answers on ${name}` };
    return { why: errorText(error), code: (error as { code?: string }).code };
  }
}

const NAME = 'monitor';
const LOOK = 'journalctl -u vps-monitor.service -n 30';

/** `runs`: whether systemd says that the monitor runs; undefined where it is not known. */
export function judgeHealthAnswer(
  answer: HealthAnswer | { why: string } | undefined,
  runs: boolean | undefined,
  version: string,
): Line[] {
  if (!answer) return [];
  return 'why' in answer ? [judgeSilence(answer.why, runs)] : judgeAnswer(answer, version);
}

function judgeSilence(why: string, runs: boolean | undefined): Line {
  if (why.startsWith('another program')) {
    const what = `${why}, so that /health and /metrics are not there`;
    return warning(NAME, what, 'set HTTP_LISTEN to a free address and restart vps-monitor');
  }
  if (runs === true) return failed(NAME, `is started, but does not answer (${why})`, LOOK);
  const start = 'start it: systemctl start vps-monitor, or vpsmon monitor';
  return warning(NAME, `does not answer (${why})`, start);
}

function judgeAnswer(answer: HealthAnswer, version: string): Line[] {
  const check = answer.last_check
    ? `last check ${formatDuration(answer.last_check.age_seconds * 1000)} ago, took ${answer.last_check.took_ms} ms`
    : 'no check yet';
  const why = answer.reasons.join('; ');
  const lines: Line[] = [];
  if (answer.status === 'unhealthy')
    lines.push(failed(NAME, why || check, `systemctl restart vps-monitor; ${LOOK}`));
  else if (answer.status === 'degraded')
    lines.push(warning(NAME, `${check}; ${why}`, 'vpsmon doctor says what to do about each'));
  else lines.push(ok(NAME, `${check}, ${answer.services_monitored} containers watched`));
  if (answer.version !== '' && answer.version !== version) {
    const what = `runs version ${answer.version}, this is ${version}`;
    lines.push(warning(NAME, what, 'sudo vpsmon install, from the newer one'));
  }
  return lines;
}
