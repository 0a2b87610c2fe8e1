import { namesContainer, type ServiceSettings } from '../config/schema.ts';
import { heldBytes } from '../model/container-memory.ts';
import type { Finding } from '../model/finding.ts';
import type { ContainerInfo } from '../model/snapshot.ts';
import { formatBytes, plain } from '../model/text.ts';
import { levelOf } from './level.ts';
import type { Judge } from './types.ts';

const MB = 1_048_576;

/** Only containers for which vpsmon.yaml gives a threshold. Judges what cannot be dropped: anonymous memory and swap. */
export const containerMemory: Judge<'docker'> = ({ containers }, { past, config }) => {
  const configured = config.extra.services.filter(
    (s) => s.memoryWarningMb !== undefined || s.memoryCriticalMb !== undefined,
  );
  if (configured.length === 0) return [];
  return containers.flatMap((container) => {
    const settings = configured.find((s) => namesContainer(s.name, container));
    if (!settings) return [];
    const finding = judgeContainer(container, settings);
    const growth = past.growth.find((g) => g.name === container.name);
    if (finding.verdict === 'breach' && growth && growth.bytesPerHour > 0) {
      finding.details?.push(`It grows by ${formatBytes(growth.bytesPerHour)}/h`);
    }
    return [finding];
  });
};

function judgeContainer(container: ContainerInfo, settings: ServiceSettings): Finding {
  const about = {
    rule: 'container-memory',
    subject: container.name,
    unit: 'bytes',
    ...(container.service ? { alias: container.service } : {}),
  } as const;
  const name = plain(container.name, 80);
  if (container.state !== 'running') {
    return { ...about, severity: 'warning', verdict: 'ok', text: `${name} does not run` };
  }
  if (!container.memory) {
    return { ...about, severity: 'warning', verdict: 'unknown', text: `The memory of ${name} is not known` };
  }
  const warning = settings.memoryWarningMb === undefined ? undefined : settings.memoryWarningMb * MB;
  const critical = settings.memoryCriticalMb === undefined ? undefined : settings.memoryCriticalMb * MB;
  const value = heldBytes(container.memory);
  const level = levelOf(value, { bad: 'above', warning, critical, clear: (warning ?? critical ?? 0) * 0.9 });
  const { swapBytes = 0 } = container.memory;
  const inSwap = swapBytes < MB ? '' : `, ${formatBytes(swapBytes)} of it in swap`;
  const holds = `${name} holds ${formatBytes(value)} of memory${inSwap}`;
  if (level.verdict !== 'breach') return { ...about, ...level, value, text: holds };
  const limit =
    container.limitBytes === null ? 'It has no limit' : `Its limit is ${formatBytes(container.limitBytes)}`;
  return {
    ...about,
    ...level,
    value,
    text: `${holds}, above ${formatBytes(level.limit)}`,
    details: [limit],
  };
}
