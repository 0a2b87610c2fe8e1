import type { Finding } from '../model/finding.ts';
import type { ContainerInfo, OomKill } from '../model/snapshot.ts';
import { formatBytes, plain } from '../model/text.ts';
import { memoryDetails } from './memory-details.ts';
import type { Context, Judge } from './types.ts';

/** Who holds the memory now says nothing about a kill longer ago than this; and by then every reading is newer than the kill. */
const FRESH_MS = 120_000;
const CLOCKS_DIFFER_MS = 1000;

/** Each kill is an event of its own; the pipeline reports an id once for ever. */
export const oomKill: Judge<'oom'> = ({ kills }, context) =>
  kills.filter((kill) => kill.at > context.past.historyStart).map((kill) => describe(kill, context));

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
      ...(kill.scope === 'unknown' ? logUnreadable(snapshot) : []),
      ...(name === undefined ? [] : [fate(plain(name, 60), kill, container, snapshot.at)]),
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
  const what = `the kernel killed ${who}${where}${held}`;
  if (kill.trigger === 'sysrq')
    return `Asked for by hand (SysRq f): ${what}; memory had not run out by itself`;
  return `Out of memory: ${what}${reason(kill)}`;
}

function reason(kill: OomKill): string {
  const limit = kill.limitBytes === undefined ? '' : formatBytes(kill.limitBytes);
  if (kill.scope === 'cgroup') {
    const whose = kill.limitedCgroup ?? kill.cgroup;
    if (whose === '') return '; a memory limit was reached';
    return `; the memory limit of ${plain(whose, 120)}${limit && `, ${limit} for all that is in it,`} was reached`;
  }
  if (limit !== '') return `; its memory limit is ${limit}`;
  if (kill.trigger === 'cpuset') return '; the memory that its cpuset allows was full, not all of the server';
  if (kill.trigger === 'policy')
    return '; the memory that its NUMA policy allows was full, not all of the server';
  if (kill.scope === 'host') return '; the whole server was out of memory';
  if (kill.scope === 'unknown') return '; only its counter shows it, so it is not known which one and why';
  return '';
}

/** Why nobody could say more. */
function logUnreadable({ readings: { oom } }: Context['snapshot']): string[] {
  const why = oom.state === 'ok' ? oom.value.logUnreadable : undefined;
  return why === undefined ? [] : [`${why[0]?.toUpperCase()}${why.slice(1)}`];
}

/** Not the start that the kill followed at once: the clocks of Docker and of the kernel log differ a little. */
function wasStartedAgain(kill: OomKill, container: ContainerInfo, now: number): boolean {
  const { state, startedAt = 0, restartCount } = container;
  if (state !== 'running') return false;
  if (restartCount > 0) return startedAt >= kill.at - CLOCKS_DIFFER_MS;
  return startedAt > kill.at + CLOCKS_DIFFER_MS && now - startedAt > CLOCKS_DIFFER_MS;
}

/** What becomes of the container: its state where that was read after the kill, and its restart policy. */
function fate(name: string, kill: OomKill, container: ContainerInfo | undefined, now: number): string {
  if (!container) return `${name} is not there any more`;
  const { state, finishedAt = 0, restartCount } = container;
  const policy = container.restartPolicy === '' ? 'no' : container.restartPolicy;
  const restarts = `${restartCount} ${restartCount === 1 ? 'restart' : 'restarts'} so far`;
  if (wasStartedAgain(kill, container, now)) {
    return `${name} was started again (restart policy ${policy}, ${restarts})`;
  }
  if (state === 'running' && now - kill.at >= FRESH_MS) {
    return `${name} goes on running: only one of its processes was killed`;
  }
  const down = state === 'exited' || state === 'dead';
  if (down && finishedAt >= kill.at - 1000 && policy === 'no') {
    return `${name} is stopped and stays so: it has no restart policy`;
  }
  // The list of containers may be older than the kill.
  if (policy === 'no') return `If that ends ${name}, it stays stopped: it has no restart policy`;
  if (policy.startsWith('on-failure')) {
    return `If that ends ${name}, Docker restarts it as often as its restart policy ${policy} allows`;
  }
  return `If that ends ${name}, Docker restarts it (restart policy ${policy}, ${restarts})`;
}
