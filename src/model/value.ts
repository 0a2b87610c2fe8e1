import type { Finding } from './finding.ts';
import { formatBytes, formatCount, formatDuration } from './text.ts';

/** A value with its unit as people read it: "87 MB", "91.5 %", "5,200 KB/s". */
export function formatValue(value: number, unit: Finding['unit']): string {
  switch (unit) {
    case 'percent':
      return `${Math.round(value * 10) / 10} %`;
    case 'bytes':
      return formatBytes(value);
    case 'kBps':
      return `${formatCount(value)} KB/s`;
    case 'seconds':
      return formatDuration(value * 1000);
    case 'score':
      return String(Math.round(value));
    case 'count':
    case undefined:
      return formatCount(value);
  }
}
