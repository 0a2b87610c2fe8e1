import * as v from 'valibot';
import { plain, formatBytes, formatDuration, formatTime } from '../model/text.ts';
import { formatMemory, largestFirst } from '../model/container-memory.ts';
import type { Finding } from '../model/finding.ts';
import type { HostValues } from '../model/snapshot.ts';
import type { Snapshot } from '../model/sources.ts';
import { EpochMs } from '../model/shapes.ts';
import type { Run } from '../system/types.ts';

/** Written about once a minute and when the monitor is asked to stop. */
export const LastAlive = v.object({
  at: EpochMs,
  bootId: v.string(),
  /** The monitor was asked to stop (systemd stopping it, a shutdown): what follows is no crash of the host. */
  stopped: v.boolean(),
  lastValues: v.array(v.string()),
});
export type LastAlive = v.InferOutput<typeof LastAlive>;

/** What is worth knowing after a crash of the host, in plain lines. */
export function describeLastValues(snapshot: Snapshot): string[] {
  const { host, pressure, docker } = snapshot.readings;
  const lines: string[] = [];
  if (host.state === 'ok') {
    const { memory, swap, load } = host.value;
    lines.push(`memory ${formatBytes(memory.availableBytes)} of ${formatBytes(memory.totalBytes)} available`);
    if (swap.totalBytes > 0)
      lines.push(`swap ${formatBytes(swap.usedBytes)} of ${formatBytes(swap.totalBytes)} used`);
    lines.push(`load ${load[0].toFixed(2)}`);
  }
  if (pressure.state === 'ok') lines.push(`memory pressure score ${Math.round(pressure.value.score)}`);
  if (docker.state === 'ok') {
    const largest = largestFirst(docker.value.containers)
      .slice(0, 3)
      .map((c) => `${plain(c.name, 60)} ${formatMemory(c.memory)}`);
    if (largest.length > 0) lines.push(`largest containers: ${largest.join(', ')}`);
  }
  return lines;
}

/** When the host came up (epoch ms), where it was rebooted in an orderly way since it was last seen. Pure. */
export function cleanBoot(
  last: LastAlive | undefined,
  host: { bootId: string; uptimeSec: number },
  now: number,
): number | undefined {
  if (!last || !last.stopped || last.bootId === '' || host.bootId === '') return undefined;
  return last.bootId === host.bootId ? undefined : now - host.uptimeSec * 1000;
}

/** Whether systemd is rebooting the machine: then the next start reports it, and all is one message. Costs a process, at the end. */
export async function isRebooting(run: Run): Promise<boolean> {
  try {
    const { stdout } = await run('systemctl', ['list-jobs', '--no-legend', '--plain'], { timeoutMs: 500 });
    return /^\s*\d+\s+(?:reboot|kexec|soft-reboot)\.target\s+start\b/m.test(stdout);
  } catch {
    return false; // No systemd, or it does not answer: the stop is reported as any other.
  }
}

/**
 * Says that the host went down without shutting down: another boot than the one last seen, and nobody had asked the
 * monitor to stop. Undefined when there is nothing to report.
 */
export function judgeReboot(
  last: LastAlive | undefined,
  host: HostValues | undefined,
  now: number,
): Finding | undefined {
  if (!last || !host || last.bootId === '' || last.bootId === host.bootId || last.stopped) return undefined;
  const bootedAt = now - host.uptimeSec * 1000;
  const away = Math.max(0, bootedAt - last.at);
  return {
    rule: 'unclean-reboot',
    subject: 'host',
    severity: 'critical',
    verdict: 'event',
    once: `reboot:${host.bootId}`,
    text: `The server went down without shutting down. It was last seen at ${formatTime(last.at)} and came back at ${formatTime(bootedAt)}, ${formatDuration(away)} later`,
    details: last.lastValues.length > 0 ? ['Last seen values:', ...last.lastValues] : [],
  };
}
