import { join } from 'node:path';
import type { Finding } from '../model/finding.ts';
import { plain } from '../model/text.ts';
import { takeFile } from '../system/state-files.ts';

/**
 * How the monitor before this one ended, when it did not end in an orderly way. The unit writes `last-exit` into the state
 * folder when the process is gone: systemd's $SERVICE_RESULT, $EXIT_CODE and $EXIT_STATUS, as in `watchdog dumped ABRT`.
 * Reported once: the file is removed.
 */
export function takeLastExit(stateDir: string): Finding | undefined {
  return judgeLastExit(takeFile(join(stateDir, 'last-exit')));
}

/** Pure. Undefined when there is nothing to report. */
export function judgeLastExit(text: string | undefined): Finding | undefined {
  const [result = '', how = '', status = ''] = plain(text ?? '', 100).split(' ');
  if (result === '' || result === 'success') return undefined;
  return {
    rule: 'watcher-replaced',
    subject: 'vpsmon',
    severity: 'warning',
    verdict: 'event',
    text: `The monitor ${endText(result, how, status)}. systemd has started it again`,
    details: ['journalctl -u vps-monitor.service shows what it said before'],
  };
}

function endText(result: string, how: string, status: string): string {
  switch (result) {
    case 'watchdog':
      return 'hung: no check was finished within the time of its watchdog, and it was replaced';
    case 'oom-kill':
      return 'was killed for its memory: it was above its ceiling, or the whole server was out of memory';
    case 'timeout':
      return 'did not start or stop in time, and was killed';
    case 'exit-code':
      return `ended with exit code ${status}`;
    case 'signal':
    case 'core-dump':
      return `was ended by the signal ${status}${how === 'dumped' ? ', a crash' : ''}`;
    default:
      return `ended unexpectedly (${[result, how, status].filter(Boolean).join(' ')})`;
  }
}
