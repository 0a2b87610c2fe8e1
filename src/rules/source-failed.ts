import type { Finding } from '../model/finding.ts';
import { SOURCES, SOURCE_IDS, type Readings, type Snapshot, type Source } from '../model/sources.ts';
import { plain } from '../model/text.ts';
import type { Past } from './types.ts';

/** Blindness is reported when it lasts this many checks. */
const CHECKS_IN_A_ROW = 3;

/** A source that should be here and cannot be read. Needs no source of its own, so it is judged in every check. */
export function judgeSources({ readings }: Snapshot, past: Past): Finding[] {
  return [...SOURCE_IDS.map((source) => judgeSource(readings, past, source)), ...judgeN8nParts(readings)];
}

function judgeSource(readings: Readings, past: Past, source: Source): Finding {
  const reading = readings[source];
  const about = { rule: 'source-failed', subject: source, severity: 'warning' } as const;
  if (reading.state !== 'failed') {
    const state = reading.state === 'ok' ? 'can be read' : 'is not here';
    return { ...about, verdict: 'ok', text: `${SOURCES[source].name} ${state}` };
  }
  const times = past.failedInARow[source] ?? 1;
  const why = plain(reading.why, 200);
  const finding: Finding = {
    ...about,
    verdict: times >= CHECKS_IN_A_ROW ? 'breach' : 'between',
    text: `${SOURCES[source].name} cannot be read: ${why}`,
  };
  if (finding.verdict === 'breach') {
    finding.details = [
      'What depends on it is not judged until it can be read again; `vpsmon doctor` shows more',
    ];
  }
  // `docker-gone` reports the same; one message is enough.
  if (source === 'docker') finding.cause = 'docker-gone';
  return finding;
}

/** What of n8n is read by itself, and what it costs when it cannot be: the rest of n8n may still be read. */
const N8N_PARTS: Record<string, { name: string; cost: string }> = {
  executions: {
    name: "n8n's executions",
    cost: 'How many run, wait and fail is not known, nor which workflow fails',
  },
  workflows: { name: "n8n's workflows", cost: 'How many there are is not known' },
  queue: {
    name: "n8n's queue",
    cost: 'A queue that overflows, or that no worker takes jobs of, is not noticed, and recovery does not pause workflows',
  },
  key: { name: "n8n's API", cost: 'Recovery cannot pause workflows, nor bring back what it has paused' },
};

/** Two checks of 30 s after the first one. */
const PART_HOLD_MS = 55_000;

function judgeN8nParts({ n8n }: Readings): Finding[] {
  if (n8n.state === 'absent') return [];
  return Object.entries(N8N_PARTS).map(([part, { name, cost }]): Finding => {
    const about = {
      rule: 'source-failed',
      subject: `n8n ${part}`,
      alias: 'n8n',
      severity: 'warning',
      holdMs: PART_HOLD_MS,
    } as const;
    if (n8n.state === 'failed') return { ...about, verdict: 'unknown', text: `${name} cannot be read` };
    const problem = n8n.value.problems?.find((one) => one.startsWith(`${part}: `));
    if (problem === undefined) return { ...about, verdict: 'ok', text: `${name} can be read` };
    const why = plain(problem.slice(part.length + 2), 200);
    return { ...about, verdict: 'breach', text: `${name} cannot be used: ${why}`, details: [cost] };
  });
}
