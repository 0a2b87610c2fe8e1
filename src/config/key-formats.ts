import { parseDockerHost } from '../system/docker/address.ts';
import type { Parsed } from './parse-value.ts';
import type { Key } from './schema.ts';

/** Keys whose text has a form of its own. Empty values do not come here. */
export const KEY_FORMATS: Partial<Record<Key, (value: string) => Parsed>> = {
  TELEGRAM_BOT_TOKEN: botToken,
  TELEGRAM_CHAT_ID: chatIds,
  TELEGRAM_CHAT_CRITICAL: chatIds,
  TELEGRAM_CHAT_WARNING: chatIds,
  TELEGRAM_CHAT_INFO: chatIds,
  TELEGRAM_ALLOWED_USERS: userIds,
  DOCKER_HOST: dockerHost,
  HOST_ROOT: absolutePath,
  REDIS_TLS_CA: absolutePath,
};

const PLACEHOLDER = /^(?:<.*>|your[_ -].*|change[_ -]?me|xxx+|\.\.\.|todo|\$\{.*|\$[A-Z_]+)$/i;

/** Only what would break a URL is an error: a self-hosted Bot API server or a test decides by itself what tokens are like. */
function botToken(value: string): Parsed {
  const expected = 'a bot token like 123456789:AAE... as @BotFather gives it';
  const token = value.trim();
  if (PLACEHOLDER.test(token)) return { expected, advice: placeholderAdvice(token) };
  if (/^bot\d+:/.test(token)) return { expected, advice: 'Leave out the word "bot" in front of the number.' };
  if (!/^[A-Za-z0-9:_-]+$/.test(token)) return { expected };
  return { value: token };
}

/**
 * The token in what a person pasted or saved: @BotFather's whole message, a line of settings, quotes, comments. Where there is none, or
 * more than one, the text as it is.
 */
export function tokenIn(text: string): string {
  const found = text.replace(/^\s*#.*$/gm, '').match(/(?<![\w-])\d{3,20}:[A-Za-z0-9_-]{20,}/g);
  const [token, ...more] = new Set(found);
  return token !== undefined && more.length === 0 ? token : text.trim();
}

/** True for what Telegram's own server gives out: digits, a colon and some 35 characters. */
export function looksLikeToken(token: string): boolean {
  return /^\d{3,20}:[A-Za-z0-9_-]{20,}$/.test(token);
}

function chatIds(value: string): Parsed {
  const ids: string[] = [];
  for (const part of value.split(',')) {
    const parsed = chatId(part);
    if (!('value' in parsed)) return parsed;
    ids.push(String(parsed.value));
  }
  return { value: ids.join(',') };
}

function userIds(value: string): Parsed {
  const ids = value.split(/[\s,]+/).filter((part) => part !== '');
  return ids.every((id) => /^\d{1,19}$/.test(id))
    ? { value: ids }
    : {
        expected: 'numbers of users, with commas',
        advice: '@userinfobot tells you yours, and so does the notice of a refused command.',
      };
}

function chatId(value: string): Parsed {
  const expected = 'a number (negative for groups), NUMBER/TOPIC, or @channel';
  const id = value.trim();
  if (/^-?\d{1,19}(?:\/\d{1,10})?$/.test(id) || /^@[A-Za-z]\w{3,31}$/.test(id)) return { value: id };
  if (PLACEHOLDER.test(id)) return { expected, advice: placeholderAdvice(id) };
  const link = /^(?:https?:\/\/)?t\.me\/([A-Za-z]\w{3,31})\/?$/.exec(id);
  if (link) return { expected, advice: `Write @${link[1]}.` };
  return { expected, advice: '`vpsmon telegram chats` lists the ids of the chats that wrote to the bot.' };
}

function placeholderAdvice(value: string): string {
  return value.startsWith('$')
    ? 'Variables are not replaced in this file: write the value itself.'
    : 'That is the placeholder of the documentation.';
}

function dockerHost(value: string): Parsed {
  try {
    parseDockerHost(value);
    return { value: value.trim() };
  } catch {
    const advice = value.startsWith('ssh:')
      ? 'ssh:// is not supported: run vpsmon on that machine, or forward the socket.'
      : undefined;
    return {
      expected: 'unix:///path/to/docker.sock or tcp://host:port',
      ...(advice === undefined ? {} : { advice }),
    };
  }
}

function absolutePath(value: string): Parsed {
  return value.startsWith('/') ? { value } : { expected: 'a path that begins with /' };
}
