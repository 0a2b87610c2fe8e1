import { formatCount } from '../model/text.ts';

/** What several incidents of one rule are called together; `#` stands for how many. */
const MANY: Record<string, string> = {
  'container-stopped': '# containers are stopped',
  'container-restarting': '# containers restart',
  'container-unhealthy': '# containers are unhealthy',
  'container-malfunction': '# containers restart again and again',
  'container-memory': '# containers use much of their memory',
  'restart-loop': '# containers are in a restart loop',
  'oom-kill': '# processes were killed for want of memory',
  'waha-session': '# WhatsApp sessions do not work',
  'source-failed': '# sources cannot be read',
  disk: '# disks are nearly full',
  inodes: '# disks have nearly no inodes left',
  forecast: '# things will run out',
};

export function nameOfMany(rule: string, count: number): string {
  const text = MANY[rule] ?? `# incidents of ${rule}`;
  return text.replace('#', formatCount(count));
}
