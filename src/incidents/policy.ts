import { namesContainer, type Config } from '../config/schema.ts';
import { ruleInfo } from '../model/rules.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

export type FlapPolicy = {
  /** More starts and ends than this within `flapWindowMs`. */
  changes: number;
  /** It begins to flap with a start, never with an end. */
  atStart?: boolean;
  /** One that stays for so long after all is sent again. */
  staysMs?: number;
};

/** Two stops within the window: the second message says that further ones follow only when it stays down. */
const CONTAINER_FLAPS: FlapPolicy = { changes: 2, atStart: true, staysMs: MINUTE };
const FLAPS: Record<string, FlapPolicy> = {
  'container-stopped': CONTAINER_FLAPS,
  'container-unhealthy': CONTAINER_FLAPS,
};

/** All the numbers that incidents are advanced and told by; times in ms. */
export type Policy = {
  /** What is flapping; `calmMs` without a change end it. */
  flapOf(rule: string): FlapPolicy;
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
  /** A severity that was told before and comes back is told again when the last message is this old. */
  worseAgainMs: number;
  /** Least time between repeats of one type. */
  rateLimitMs: number;
  /** Least time between repeats about one service; `host` is none. */
  cooldownMs(subject: string, alias: string | undefined): number;
  /** vpsmon.yaml does not want changes of this kind of this service to be told. */
  muted(incident: { rule: string; subject: string; alias?: string }): boolean;
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
  return {
    flapOf: (rule) => FLAPS[rule] ?? { changes: 5 },
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
    muted({ rule, subject, alias }) {
      const change = ruleInfo(rule)?.mute;
      if (change === undefined || muting.length === 0) return false;
      const names = { name: subject, ...(alias === undefined ? {} : { alias }) };
      return muting.some((service) => service.mute?.includes(change) && namesContainer(service.name, names));
    },
    keepMs: Math.max(20 * MINUTE, rateLimitMs, longest),
  };
}
