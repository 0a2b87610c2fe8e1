import type { Finding } from '../model/finding.ts';
import type { ContainerInfo, OomKill } from '../model/snapshot.ts';
import { formatBytes, plain } from '../model/text.ts';
import { memoryDetails } from './memory-details.ts';
import { rule, type Context } from './types.ts';

/** Who holds the memory now says nothing about a kill longer ago than this. */
const FRESH_MS = 120_000;

/** Each kill is an event of its own; the pipeline tells an id once for ever. */
export const oomKill = rule('oom-kill', 'oom', ({ kills }, context) =>
  kills.filter((kill) => kill.at > context.past.historyStart).map((kill) => describe(kill, context)),
);

function describe(kill: OomKill, { snapshot, past }: Context): Finding {
  const { docker } = snapshot.readings;
  const container =
    docker.state === 'ok' ? docker.value.containers.find((c) => belongsTo(kill, c)) : undefined;
  const name = kill.containerName ?? container?.name;
  const finding: Finding = {
    rule: 'oom-kill',
    subject: name ?? (kill.scope === 'cgroup' && kill.cgroup !== '' ? kill.cgroup : 'host'),
    severity: 'critical',
    verdict: 'event',
    once: kill.id,
    at: kill.at,
    cause: `oom:${kill.containerId ?? kill.cgroup}`,
    text: sentence(kill, name),
    details: [
      ...(name === undefined ? [] : [fate(plain(name, 60), kill, container)]),
      ...(snapshot.at - kill.at <= FRESH_MS ? memoryDetails(snapshot, past) : []),
    ],
  };
  if (kill.rssBytes > 0) Object.assign(finding, { value: kill.rssBytes, unit: 'bytes' });
  if (kill.limitBytes !== undefined) finding.limit = kill.limitBytes;
  if (container?.service) finding.alias = container.service;
  return finding;
}

function belongsTo(kill: OomKill, container: ContainerInfo): boolean {
  if (kill.containerId !== undefined) return container.id === kill.containerId;
  return kill.containerName !== undefined && container.name === kill.containerName;
}

function sentence(kill: OomKill, name: string | undefined): string {
  const known = kill.process !== '' && kill.process !== 'unknown';
  const who = known ? `${plain(kill.process, 40)}${kill.pid > 0 ? ` (pid ${kill.pid})` : ''}` : 'a process';
  const where = name === undefined ? '' : ` in container ${plain(name, 80)}`;
  const held = kill.rssBytes > 0 ? `, which held ${formatBytes(kill.rssBytes)}` : '';
  return `Out of memory: the kernel killed ${who}${where}${held}${reason(kill)}`;
}

function reason(kill: OomKill): string {
  if (kill.limitBytes !== undefined) return `; its memory limit is ${formatBytes(kill.limitBytes)}`;
  if (kill.scope === 'host') return '; the whole server was out of memory';
  if (kill.scope === 'cgroup') return `; the memory limit of ${plain(kill.cgroup, 120)} was reached`;
  return '';
}

/** What becomes of the container: Docker's state now, and its restart policy. */
function fate(name: string, kill: OomKill, container: ContainerInfo | undefined): string {
  if (!container) return `${name} is not there any more`;
  const { state, restartPolicy, startedAt, restartCount } = container;
  const policy = restartPolicy === '' ? 'no' : restartPolicy;
  if (state === 'running' && startedAt !== undefined && startedAt >= kill.at - 1000) {
    return `${name} was started again (restart policy ${policy}, ${restartCount} ${restartCount === 1 ? 'restart' : 'restarts'} so far)`;
  }
  if (state === 'running') return `${name} goes on running: only one of its processes was killed`;
  if (state === 'restarting' || policy === 'always' || policy === 'unless-stopped') {
    return `Docker restarts ${name} (restart policy ${policy})`;
  }
  if (policy.startsWith('on-failure')) {
    return `${name} is ${state}: Docker restarts it as often as its restart policy ${policy} allows`;
  }
  return `${name} is ${state} and stays so: it has no restart policy`;
}
