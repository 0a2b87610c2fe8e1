import { plain } from '../model/text.ts';
import { addressOf, hostOf, meantBy, toUrl, urlOf, type Surroundings } from './address.ts';
import { choose, fromEnv, isTrue, label, notRunning, oneOf, portFromEnv, toPort } from './container.ts';
import type { Candidate } from './kind.ts';
import type { Wanted } from './explicit.ts';
import type { HttpTarget } from '../model/targets.ts';
import { grant } from './trust.ts';

/** `here`: it runs, and cannot be read. */
type Found = ({ target: HttpTarget } | { why: string; here?: true }) & { down?: string };

/** The key as WAHA knows it. A `sha512:` key lets WAHA check one and shows nobody what it is. */
function wahaKey(container: Candidate): { key: string; hashed: boolean } {
  const plainKey = fromEnv(container, 'WAHA_API_KEY_PLAIN');
  if (plainKey !== undefined) return { key: plainKey, hashed: false };
  const key = fromEnv(container, 'WAHA_API_KEY', 'WHATSAPP_API_KEY') ?? '';
  return /^sha512:/i.test(key) ? { key: '', hashed: true } : { key, hashed: false };
}

function wahaPort(container: Candidate): number {
  return portFromEnv(container, 3000, 'WHATSAPP_API_PORT', 'WAHA_PORT');
}

/** The WAHA to watch: what a person set, else the container called `waha`, or the oldest. */
export function findWaha(candidates: Candidate[], wanted: Wanted<HttpTarget>, around: Surroundings): Found {
  const running = candidates.filter((candidate) => candidate.running);
  if (wanted.url !== undefined) return explicit(wanted.url, wanted, candidates, around);
  const chosen = choose(running, 'waha');
  if (!chosen) {
    const there = candidates[0];
    if (there) return { why: notRunning(there), down: there.inspect.name };
    return { why: 'no container runs WAHA, and WAHA_URL is not set' };
  }
  const address = addressOf(chosen.at, wahaPort(chosen), around);
  if ('why' in address) return { ...address, here: true };
  const { key, hashed } = wahaKey(chosen);
  const { secret: granted, note } = grant(wanted.apiKey, chosen, candidates, {
    setting: 'WAHA_API_KEY',
    naming: 'WAHA_URL',
  });
  const secure = isTrue(fromEnv(chosen, 'WAHA_HTTPS_ENABLED'));
  return {
    target: {
      url: toUrl(secure ? 'https' : 'http', address),
      apiKey: granted ?? key,
      how: `container ${label(chosen)}${oneOf(running)}, ${address.via}, ${keyFrom(granted, key, hashed)}${note}`,
      container: chosen.inspect.name,
    },
  };
}

function keyFrom(wanted: string | undefined, key: string, hashed: boolean): string {
  if (wanted !== undefined) return 'key from WAHA_API_KEY';
  if (hashed) return 'of its key only the hash (sha512:...) is known: set WAHA_API_KEY';
  return key ? 'key from its environment' : 'no key';
}

/** A URL that is one of the containers has its key from there; no other server is ever sent that key. */
function explicit(
  url: string,
  wanted: Wanted<HttpTarget>,
  candidates: Candidate[],
  around: Surroundings,
): Found {
  const same = sameAs(
    url,
    candidates.filter((one) => one.running),
    wahaPort,
    around,
  );
  const down = same ? undefined : sameAs(url, candidates, wahaPort, around)?.inspect.name;
  const { url: reached, isOwn } = same ? urlOf(url, same.at, wahaPort(same), around) : { url, isOwn: false };
  const own = same ? wahaKey(same).key : '';
  const withheld = same && !isOwn && own !== '' && wanted.apiKey === undefined;
  return {
    ...(down === undefined ? {} : { down }),
    target: {
      url: reached,
      apiKey: wanted.apiKey ?? (isOwn ? own : ''),
      how: `${wanted.how}${withheld ? `; the key of container ${plain(same.inspect.name, 60)} is not sent to a name that may lead elsewhere: set WAHA_API_KEY` : ''}`,
      ...(same ? { container: same.inspect.name } : {}),
    },
  };
}

/** The container that a URL means. */
export function sameAs(
  url: string,
  running: Candidate[],
  portOf: (candidate: Candidate) => number,
  around: Surroundings,
): Candidate | undefined {
  const parsed = new URL(url);
  const number = toPort(parsed.port) ?? (parsed.protocol === 'https:' ? 443 : 80);
  return meantBy(hostOf(parsed), number, running, portOf, around);
}
