import type { Config } from '../config/schema.ts';
import type { Finding } from '../model/finding.ts';
import type { Disk } from '../model/snapshot.ts';
import { formatBytes, plain } from '../model/text.ts';
import { levelOf } from './level.ts';
import type { Judge } from './types.ts';

/** Percentage points below the warning at which a disk is fine again. */
const CLEAR_POINTS = 3;

export const disk: Judge<'host'> = ({ disks }, { config }) =>
  disks.map((d) => {
    const level = diskLevel(d.usedPercent, config);
    const state = `Disk ${plain(d.mount, 80)} is ${percent(d.usedPercent)} full`;
    return {
      ...finding('disk', d, level, d.usedPercent),
      text: level.verdict === 'breach' ? `${state}, above ${level.limit} %` : state,
      ...(level.verdict === 'breach'
        ? {
            details: [`${freeOf(d)} (${plain(d.device, 60)}, ${plain(d.fsType, 20)})`],
          }
        : {}),
    };
  });

function freeOf({ availableBytes, totalBytes }: Disk): string {
  if (availableBytes === undefined || totalBytes === undefined) return 'How much is free is not known';
  return `Free: ${formatBytes(availableBytes)} of ${formatBytes(totalBytes)}`;
}

/** The kernel stops writing to a filesystem when the disk below it fails; what is running goes on until it has to write. */
export const diskReadOnly: Judge<'host'> = ({ disks }) =>
  disks.map((d) => {
    const name = `Disk ${plain(d.mount, 80)}`;
    const about = { rule: 'disk-read-only', subject: d.mount, severity: 'critical' } as const;
    if (!d.stoppedWriting) return { ...about, verdict: 'ok', text: `${name} can be written` };
    return {
      ...about,
      verdict: 'breach',
      text: `${name} is read-only: the kernel stopped all writing to it after an error`,
      details: [
        `Nothing on it can be saved (${plain(d.device, 60)}, ${plain(d.fsType, 20)}); databases fail at their next write`,
        'What to do: see `dmesg` for the error, save what can be copied, then restart the server with a check of the disk (fsck)',
      ],
    };
  });

export const inodes: Judge<'host'> = ({ disks }, { config }) =>
  disks.flatMap((d) => {
    const used = d.inodesUsedPercent;
    if (used === undefined) return [];
    const level = diskLevel(used, config);
    const state = `Disk ${plain(d.mount, 80)} has used ${percent(used)} of its inodes`;
    const result: Finding = {
      ...finding('inodes', d, level, used),
      text: level.verdict === 'breach' ? `${state}, above ${level.limit} %` : state,
    };
    if (level.verdict === 'breach') {
      result.details = [
        'Very many small files: no new file can be made when none is left, however much space is free',
      ];
    }
    return [result];
  });

type DiskLevel = ReturnType<typeof levelOf>;

function diskLevel(usedPercent: number, { settings }: Config): DiskLevel {
  return levelOf(usedPercent, {
    bad: 'above',
    warning: settings.DISK_WARNING_PCT,
    critical: settings.DISK_CRITICAL_PCT,
    clear: settings.DISK_WARNING_PCT - CLEAR_POINTS,
  });
}

function finding(rule: 'disk' | 'inodes', { mount }: Disk, level: DiskLevel, value: number): Finding {
  return { rule, subject: mount, ...level, value, unit: 'percent', text: '' };
}

/** "81 %"; a decimal only where it matters, so that 80.4 % is not shown as 80 %, above 80 %. */
function percent(value: number): string {
  return `${Number.isInteger(value) ? value : value.toFixed(1)} %`;
}
