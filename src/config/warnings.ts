import type { TextFile } from '../system/read-file.ts';
import { definitionOf, placeOf, type Key, type Origin, type Problem, type Settings } from './schema.ts';
import { looksLikeToken } from './key-formats.ts';
import type { Layer } from './layers.ts';

/** True where every user of the machine may read the file. A group may: root:docker 0640 is a choice that people make. */
export function readableByOthers(mode: number): boolean {
  return (mode & 0o004) !== 0;
}

/** A file with secrets that every user can read. */
export function warnAboutMode(path: string, file: TextFile, layer: Layer): Problem[] {
  if (!readableByOthers(file.mode)) return [];
  const keys = [...layer].filter(([key, { value }]) => holdsSecret(key, value)).map(([key]) => key);
  if (keys.length === 0) return [];
  const text = `every user of this machine can read this file, and it holds ${keys.join(', ')}: chmod 600 ${path}`;
  return [{ level: 'warning', file: path, text }];
}

function holdsSecret(key: Key, value: unknown): boolean {
  if (typeof value !== 'string' || value === '') return false;
  const { type } = definitionOf(key);
  return type === 'secret' || (type === 'url' && /\/\/[^/@]*:[^/@]+@/.test(value));
}

/** What is allowed, and yet probably not meant. `found` are the problems so far: what is wrong is not called missing as well. */
export function warnTogether(
  settings: Settings,
  origins: Record<Key, Origin>,
  found: readonly Problem[],
): Problem[] {
  const problems: Problem[] = [];
  const telegramIsWrong = found.some((p) => p.level === 'error' && p.key?.startsWith('TELEGRAM_'));
  const warn = (key: Key, text: string): void => {
    problems.push({ level: 'warning', ...placeOf(origins[key]), key, text });
  };
  const { TELEGRAM_BOT_TOKEN: token, TELEGRAM_CHAT_ID: chat } = settings;
  if (token !== '' && chat === '' && !telegramIsWrong)
    warn(
      'TELEGRAM_BOT_TOKEN',
      'is set and TELEGRAM_CHAT_ID is not, so nothing can be sent; `vpsmon telegram chats` lists the chats that wrote to the bot',
    );
  if (token === '' && chat !== '' && !telegramIsWrong)
    warn('TELEGRAM_CHAT_ID', 'is set and TELEGRAM_BOT_TOKEN is not, so nothing can be sent');
  if (token !== '' && !looksLikeToken(token))
    warn('TELEGRAM_BOT_TOKEN', `does not look like a bot token (digits, a colon, some 35 characters)`);
  for (const [url, host] of [
    ['POSTGRES_URL', 'POSTGRES_HOST'],
    ['REDIS_URL', 'REDIS_HOST'],
  ] as const) {
    if (settings[url] !== '' && settings[host] !== '')
      warn(host, `is ignored, because ${url} is set as well; keep one of the two`);
  }
  return problems;
}
