import { namesContainer, type Config } from '../config/schema.ts';
import { CHANGES } from '../model/change.ts';
import { changeOf } from '../model/fact-rules.ts';
import type { Incident } from '../model/incident.ts';
import type { FlapPolicy } from '../model/sources/source.ts';
import { FLAPS, ruleInfo } from '../model/rules.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** All the numbers that incidents are advanced and notified by; times in ms. */
export type Policy = {
  /** What is flapping; `calmMs` without a change end it. */
  flapOf(rule: string): FlapPolicy;
  /** It ends when it was not seen for so long; 0: with the first `ok`. */
  quietOf(rule: string): number;
  flapWindowMs: number;
  calmMs: number;
  /** A subject that its rule does not find any more for this long is gone. */
  goneMs: number;
  /** A hold time starts anew when nothing was seen for so long. */
  gapMs: number;
  /** What starts within this time and has the same cause is one message. */
  groupMs: number;
  /** Repeats after these times, then every `dailyMs`, all from the first message. */
  repeatMs: readonly number[];
  dailyMs: number;
  /** A severity that was sent before and comes back is sent again when the last message is this old. */
  worseAgainMs: number;
  /** Least time between repeats of one type. */
  rateLimitMs: number;
  /** Least time between repeats about one service; `host` is none. */
  cooldownMs(subject: string, alias: string | undefined): number;
  /** vpsmon.yaml wants no messages about changes of this kind of this service. */
  muted(incident: Incident): boolean;
  /** The same for lines that are no incident; `words` as `mute` writes them. */
  mutes(about: { name: string; service?: string }, words: readonly (string | undefined)[]): boolean;
  /** How long ended incidents are remembered for flapping, groups and limits. */
  keepMs: number;
};

/** The policy that a configuration asks for. */
export function policyOf({ settings, extra }: Config): Policy {
  const cooldown = settings.ALERT_COOLDOWN_MINUTES * MINUTE;
  const own = extra.services.filter((service) => service.cooldownMinutes !== undefined);
  const muting = extra.services.filter((service) => service.mute !== undefined);
  const rateLimitMs = settings.ALERT_RATE_LIMIT_SEC * SECOND;
  const longest = Math.max(cooldown, ...own.map((service) => service.cooldownMinutes! * MINUTE));
  function mutes(about: { name: string; service?: string }, words: readonly (string | undefined)[]): boolean {
    return muting.some(
      ({ mute, name }) => mute?.some((word) => words.includes(word)) && namesContainer(name, about),
    );
  }
  return {
    flapOf: (rule) => ruleInfo(rule)?.flap ?? FLAPS,
    quietOf: (rule) => ruleInfo(rule)?.quietMs ?? 0,
    flapWindowMs: 10 * MINUTE,
    calmMs: 10 * MINUTE,
    goneMs: 5 * MINUTE,
    gapMs: 3 * settings.SERVICE_CHECK_INTERVAL * SECOND,
    groupMs: 10 * SECOND,
    repeatMs: [HOUR, 4 * HOUR],
    dailyMs: 24 * HOUR,
    worseAgainMs: HOUR,
    rateLimitMs,
    cooldownMs(subject, alias) {
      if (subject === 'host') return 0;
      const names = { name: subject, ...(alias === undefined ? {} : { alias }) };
      const special = own.find((service) => namesContainer(service.name, names));
      return special ? special.cooldownMinutes! * MINUTE : cooldown;
    },
    muted(incident) {
      const { rule, subject, alias } = incident;
      const change = changeOf(incident);
      // Who got no message about the start of something gets none about its end.
      const words = [ruleInfo(rule)?.mute, change && CHANGES[change].mute];
      return mutes({ name: subject, ...(alias === undefined ? {} : { service: alias }) }, words);
    },
    mutes,
    keepMs: Math.max(20 * MINUTE, rateLimitMs, longest),
  };
}
