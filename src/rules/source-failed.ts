import type { Finding } from '../model/finding.ts';
import { SOURCES, type Source } from '../model/reading.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { plain } from '../model/text.ts';
import type { Past } from './types.ts';

/** Blindness is reported when it lasts this many checks. */
const CHECKS_IN_A_ROW = 3;

const NAMES: Record<Source, string> = {
  host: 'This host',
  pressure: 'Memory pressure (PSI)',
  oom: 'OOM kills',
  docker: 'Docker',
  postgres: 'PostgreSQL',
  redis: 'Redis',
  n8n: 'n8n',
  waha: 'WAHA',
  sql: 'The SQL metrics',
};

/** A source that should be here and cannot be read. Needs no source of its own, so it is judged in every check. */
export function judgeSources({ readings }: Snapshot, past: Past): Finding[] {
  return SOURCES.map((source) => {
    const reading = readings[source];
    const about = { rule: 'source-failed', subject: source, severity: 'warning' } as const;
    if (reading.state !== 'failed') {
      const state = reading.state === 'ok' ? 'can be read' : 'is not here';
      return { ...about, verdict: 'ok', text: `${NAMES[source]} ${state}` };
    }
    const times = past.failedInARow[source] ?? 1;
    const why = plain(reading.why, 200);
    const finding: Finding = {
      ...about,
      verdict: times >= CHECKS_IN_A_ROW ? 'breach' : 'between',
      text: `${NAMES[source]} cannot be read: ${why}`,
    };
    if (finding.verdict === 'breach') {
      finding.details = [
        'What depends on it is not judged until it can be read again; `vpsmon doctor` tells more',
      ];
    }
    // The services room says the same thing in its own words; one message is enough.
    if (source === 'docker') finding.cause = 'docker-gone';
    return finding;
  });
}
