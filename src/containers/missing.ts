// A name in MONITORED_SERVICES that no container bears.
import { namesContainer } from '../config/schema.ts';
import { formatTime } from '../model/text.ts';
import { endsQuietly, opens } from './findings.ts';
import type { State, Turn } from './types.ts';
import { message } from './wording.ts';

/** The key under which the trouble stands: names in settings may be Compose services, so they are apart from containers. */
export function missingKey(name: string): string {
  return `missing:${name}`;
}

/** Opens and ends `service-missing` for every wanted name. `quiet`: another message says it. Returns the newly missing. */
export function tellMissing(turn: Turn, options: { quiet: boolean }): string[] {
  const { state, now } = turn;
  const newly: string[] = [];
  for (const name of state.rules.wanted) {
    const key = missingKey(name);
    const exists = isThere(state, name);
    if (exists) endsQuietly(turn, key, 'missing', `${name} exists again`, now.wall);
    if (exists || state.standing.get(key)?.missing) continue;
    newly.push(name);
    const finding = opens(
      turn,
      key,
      'missing',
      { name },
      {
        text: `${name} is in MONITORED_SERVICES, but there is no container of this name`,
        at: now.wall,
        html: message('⚠️', 'Service Missing', [
          ['Service', name],
          ['Status', '🔴 No container of this name'],
          ['Time', formatTime(now.wall)],
          ['Note', 'It is in MONITORED_SERVICES. Is it spelled right, was it deployed?'],
        ]),
      },
    );
    turn.out.findings.push(options.quiet ? { ...finding, quiet: true } : finding);
  }
  return newly;
}

function isThere(state: State, name: string): boolean {
  for (const known of state.known.values()) if (namesContainer(name, known.info)) return true;
  return false;
}
