import { percentDecoded } from '../model/text.ts';
import { definitionOf, KEY_NAMES, type Config } from './schema.ts';

/** The values of all settings that nobody else may see, for masking: tokens, passwords, keys, and what stands inside of addresses. */
export function secretsOf(config: Pick<Config, 'settings'>): string[] {
  const secrets = new Set<string>();
  for (const key of KEY_NAMES) {
    const value = config.settings[key];
    if (typeof value !== 'string' || value === '') continue;
    const { type } = definitionOf(key);
    if (type === 'secret') secrets.add(value);
    if (type === 'url') for (const part of secretsOfUrl(value, key === 'HEARTBEAT_URL')) secrets.add(part);
  }
  return [...secrets].filter((secret) => secret.length >= 4).toSorted((a, b) => b.length - a.length);
}

/** The password of an address, as it stands there and decoded; of a heartbeat address the path, too: it is the key. */
function secretsOfUrl(text: string, pathIsSecret: boolean): string[] {
  if (!URL.canParse(text)) return [];
  const url = new URL(text);
  const query = [...url.searchParams]
    .filter(([name]) => /pass|token|key|secret/i.test(name))
    .map(([, v]) => v);
  const path = pathIsSecret ? [url.pathname.slice(1), url.search.slice(1)] : [];
  return [url.password, percentDecoded(url.password), ...query, ...path].filter((part) => part !== '');
}
