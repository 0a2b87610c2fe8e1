import type { Finding } from '../model/finding.ts';
import { formatBytes } from '../model/text.ts';
import { levelOf } from './level.ts';
import { memoryAdvice, memoryDetails } from './memory-details.ts';
import type { Judge } from './types.ts';

const MB = 1_048_576;

export const memoryPressure: Judge<'pressure'> = (pressure, { snapshot, past, config }) => {
  const { settings } = config;
  const level = levelOf(pressure.score, {
    bad: 'above',
    warning: settings.MEMORY_PRESSURE_WARNING,
    critical: settings.MEMORY_PRESSURE_THRESHOLD,
    clear: settings.MEMORY_PRESSURE_CLEAR,
    inclusive: true,
  });
  const score = Math.round(pressure.score);
  const finding: Finding = {
    rule: 'memory-pressure',
    subject: 'host',
    ...level,
    value: pressure.score,
    unit: 'score',
    holdMs: settings.MEMORY_PRESSURE_HOLD_SEC * 1000,
    text:
      level.verdict === 'breach'
        ? `Memory pressure is ${score} of 100 (limit ${level.limit}): programs are waiting for memory`
        : `Memory pressure is ${score} of 100`,
  };
  if (level.verdict === 'breach')
    finding.details = [...memoryDetails(snapshot, past), ...memoryAdvice({ snapshot, past, config })];
  return [finding];
};

export const memoryAvailable: Judge<'host'> = (host, { snapshot, past, config }) => {
  const { settings } = config;
  const level = levelOf(host.memory.availableBytes, {
    bad: 'below',
    warning: settings.MEMORY_WARNING_MB * MB,
    critical: settings.MEMORY_CRITICAL_MB * MB,
    clear: settings.MEMORY_CLEAR_MB * MB,
  });
  const available = formatBytes(host.memory.availableBytes);
  const finding: Finding = {
    rule: 'memory-available',
    subject: 'host',
    ...level,
    value: host.memory.availableBytes,
    unit: 'bytes',
    text:
      level.verdict === 'breach'
        ? `Available memory is ${available}, below ${formatBytes(level.limit)}`
        : `Available memory is ${available}`,
  };
  if (level.verdict === 'breach')
    finding.details = [...memoryDetails(snapshot, past), ...memoryAdvice({ snapshot, past, config })];
  return [finding];
};
