import { plain } from '../model/text.ts';
import type { Problem } from './schema.ts';

/** Where a problem is and what it is, without its level: `/etc/vpsmon/monitor.conf:12: LOG_LEVEL: expected ...`. */
export function problemText({ file, line, key, text }: Problem): string {
  const where = line === undefined ? plain(file) : `${plain(file)}:${line}`;
  // "KEY: expected ..." but "KEY is not a setting ...": a sentence that begins with a verb goes on after its subject.
  const goesOn = /^(?:is|does|has|may|cannot) /.test(text) ? ' ' : ': ';
  const subject = key === undefined && line === undefined ? where : `${where}: ${plain(key ?? '')}`;
  const middle = key === undefined && line !== undefined ? '' : goesOn;
  return `${subject}${middle}${plain(text, 600)}`;
}
