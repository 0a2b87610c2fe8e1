import { parseListen } from '../config/listen.ts';
import { errorText, formatDuration } from '../model/text.ts';
import type { Http } from '../system/types.ts';
import { failed, ok, warning, type Line } from './types.ts';

/** Fields used of the monitor's answer to /health. */
export type HealthAnswer = {
  status: string;
  reasons: string[];
  version: string;
  last_check: { age_seconds: number; took_ms: number } | null;
  services_monitored: number;
};

/** Asks the running monitor how it is; undefined when HTTP_LISTEN is switched off. */
export async function askHealth(
  http: Http,
  listen: string,
): Promise<HealthAnswer | { why: string } | undefined> {
  if (listen === '') return undefined;
  const { host, port } = parseListen(listen);
  // A monitor that listens everywhere is asked on loopback.
  const address =
    host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host;
  try {
    const answer = await http({ url: `http://${address}:${port}/health`, timeoutMs: 5000 });
    const body = JSON.parse(answer.body) as Partial<HealthAnswer>;
    if (typeof body.status !== 'string' || !('services_monitored' in body))
      return { why: `another program answers on ${listen}` };
    return {
      status: body.status,
      reasons: Array.isArray(body.reasons) ? body.reasons.map(String) : [],
      version: String(body.version ?? ''),
      last_check: body.last_check ?? null,
      services_monitored: Number(body.services_monitored ?? 0),
    };
  } catch (error) {
    if (error instanceof SyntaxError) return { why: `another program answers on ${listen}` };
    return { why: errorText(error) };
  }
}

/** `runs`: whether systemd says that the monitor runs; undefined where it is not known. */
export function judgeHealthAnswer(
  answer: HealthAnswer | { why: string } | undefined,
  runs: boolean | undefined,
  version: string,
): Line[] {
  const name = 'monitor';
  if (!answer) return [];
  if ('why' in answer) {
    if (answer.why.startsWith('another program'))
      return [
        warning(
          name,
          `${answer.why}, so that /health and /metrics are not there`,
          'set HTTP_LISTEN to a free address and restart vps-monitor',
        ),
      ];
    if (runs === true)
      return [
        failed(
          name,
          `is started, but does not answer (${answer.why})`,
          'journalctl -u vps-monitor.service -n 30',
        ),
      ];
    return [
      warning(
        name,
        `does not answer (${answer.why})`,
        'start it: systemctl start vps-monitor, or vpsmon monitor',
      ),
    ];
  }
  const check = answer.last_check
    ? `last check ${formatDuration(answer.last_check.age_seconds * 1000)} ago, took ${answer.last_check.took_ms} ms`
    : 'no check yet';
  const lines: Line[] = [];
  if (answer.status === 'unhealthy')
    lines.push(
      failed(
        name,
        answer.reasons.join('; ') || check,
        'systemctl restart vps-monitor; journalctl -u vps-monitor.service -n 30',
      ),
    );
  else if (answer.status === 'degraded')
    lines.push(
      warning(name, `${check}; ${answer.reasons.join('; ')}`, 'vpsmon doctor says what to do about each'),
    );
  else lines.push(ok(name, `${check}, ${answer.services_monitored} containers watched`));
  if (answer.version !== '' && answer.version !== version)
    lines.push(
      warning(
        name,
        `runs version ${answer.version}, this is ${version}`,
        'sudo vpsmon install, from the newer one',
      ),
    );
  return lines;
}
