import { isIgnored, namesContainer, type Config } from '../config/schema.ts';
import { isEssential } from '../discovery/essential.ts';
import type { Finding } from '../model/finding.ts';
import type { RuleId } from '../model/rules.ts';
import type { ContainerInfo } from '../model/snapshot.ts';
import { formatTime } from '../model/text.ts';

/** Exit codes of an orderly end: 0, and the usual ones after a stop on request (SIGINT, SIGKILL, SIGTERM). */
const ORDERLY = [0, 130, 137, 143];

/**
 * What one look can say about containers, without having seen their lives: for `monitor --once`. The daemon knows more
 * (who asked for a stop, how often it restarts) and gets that from src/containers instead.
 */
export function judgeContainersNow(containers: ContainerInfo[], config: Config): Finding[] {
  const { MONITORED_SERVICES, ESSENTIAL_CONTAINERS } = config.settings;
  const findings: Finding[] = [];
  for (const container of containers) {
    const named = MONITORED_SERVICES.some((name) => namesContainer(name, container));
    if (MONITORED_SERVICES.length > 0 && !named) continue;
    if (isIgnored(config.settings.IGNORED_SERVICES, container)) continue;
    const needed =
      named ||
      ESSENTIAL_CONTAINERS.some((name) => namesContainer(name, container)) ||
      // A job of the same image, which ends and is not started again, is not what the owner lives by.
      (container.restartPolicy !== 'no' && isEssential(container, config));
    const finding = judgeOne(container, needed);
    if (finding) findings.push({ ...finding, ...(container.service ? { alias: container.service } : {}) });
  }
  for (const name of MONITORED_SERVICES) {
    if (containers.some((container) => namesContainer(name, container))) continue;
    findings.push({
      rule: 'service-missing',
      subject: name,
      severity: 'warning',
      verdict: 'breach',
      text: `${name} is in MONITORED_SERVICES, but there is no such container`,
    });
  }
  return findings;
}

function judgeOne(c: ContainerInfo, needed: boolean): Finding | undefined {
  const since = c.finishedAt ? ` since ${formatTime(c.finishedAt)}` : '';
  const about = (rule: RuleId, severity: 'warning' | 'critical', text: string): Finding => ({
    rule,
    subject: c.name,
    severity,
    verdict: 'breach',
    text,
  });
  if (c.state === 'restarting') {
    return about(
      'container-restarting',
      'critical',
      `${c.name} keeps restarting: ${c.restartCount} restarts, last exit code ${c.exitCode ?? 'unknown'}`,
    );
  }
  if (c.state === 'dead')
    return about('container-stopped', 'critical', `${c.name} is dead: Docker could not remove it`);
  if (c.state === 'running' && c.health === 'unhealthy')
    return about('container-unhealthy', 'warning', `${c.name} is unhealthy`);
  // It exists, and serves nobody: its start failed or was never asked for, or somebody holds it.
  if (needed && c.state === 'created')
    return about('container-stopped', 'warning', `${c.name} was created and has not started`);
  if (needed && c.state === 'paused') return about('container-stopped', 'warning', `${c.name} is paused`);
  if (c.state !== 'exited') return undefined;
  if (c.oomKilled)
    return about('container-stopped', 'critical', `${c.name} was killed for memory and is stopped${since}`);
  if (needed)
    return about(
      'container-stopped',
      'critical',
      `${c.name} is stopped${since}, exit code ${c.exitCode ?? 'unknown'}`,
    );
  if (c.exitCode !== undefined && !ORDERLY.includes(c.exitCode)) {
    return about('container-stopped', 'warning', `${c.name} ended with exit code ${c.exitCode}${since}`);
  }
  return undefined;
}
