import type { Config } from '../config/schema.ts';
import { SEVERITIES, type Severity } from '../model/finding.ts';

/** A chat, and the topic in it. */
export type Place = { chat: string; topic?: number };

/** `-100123`, `@channel`, or `-100123/5` for topic 5 of a group; as the settings check it. */
export function placeOf(target: string): Place {
  const [chat = '', topic] = target.split('/');
  return topic === undefined ? { chat } : { chat, topic: Number(topic) };
}

/** The place as the settings have it. */
export function targetOfPlace({ chat, topic }: Place): string {
  return topic === undefined ? chat : `${chat}/${topic}`;
}

/** Where messages of this severity go. */
export function targetsFor(config: Config, severity: Severity): string[] {
  const { settings } = config;
  const own = {
    critical: settings.TELEGRAM_CHAT_CRITICAL,
    warning: settings.TELEGRAM_CHAT_WARNING,
    info: settings.TELEGRAM_CHAT_INFO,
  }[severity];
  const targets = listOf(own);
  return targets.length > 0 ? targets : listOf(settings.TELEGRAM_CHAT_ID);
}

/** Where this waiting message goes. */
export function targetOf(config: Config, message: { target?: string; severity: Severity }): string {
  return message.target ?? targetsFor(config, message.severity)[0] ?? '';
}

/** All chats and topics that messages may go to, each once. */
export function allTargets(config: Config): string[] {
  const severities: Severity[] = ['critical', 'warning', 'info'];
  const main = listOf(config.settings.TELEGRAM_CHAT_ID);
  return [...new Set([...main, ...severities.flatMap((severity) => targetsFor(config, severity))])];
}

/** A chat or topic, and the severities of which messages go there. */
export type Destination = { target: string; severities: readonly Severity[] };

/** All chats and topics with what goes there, the first one first. */
export function destinationsOf(config: Config): Destination[] {
  return allTargets(config).map((target) => ({
    target,
    severities: SEVERITIES.toReversed().filter((one) => targetsFor(config, one).includes(target)),
  }));
}

/** The one that a setting without further words means. */
export function mainTarget(config: Config): string {
  return listOf(config.settings.TELEGRAM_CHAT_ID)[0] ?? '';
}

function listOf(setting: string): string[] {
  return [...new Set(setting.split(',').map((part) => part.trim()))].filter((part) => part !== '');
}
