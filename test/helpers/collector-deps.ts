import type { CollectorDeps } from '../../src/collectors/types.ts';
import type { Discovered } from '../../src/model/targets.ts';
import {
  defaultExtra,
  defaultSettings,
  KEY_NAMES,
  type Config,
  type Extra,
  type Settings,
} from '../../src/config/schema.ts';
import { systemClock } from '../../src/system/clock.ts';
import { httpRequest } from '../../src/system/http/http.ts';
import type { Clock, System } from '../../src/system/types.ts';

export type TestDeps = CollectorDeps & {
  /** What the collectors find; change it at any time. */
  found: Discovered;
  rediscovered(): number;
  memory: Map<string, string>;
  /** Added to both clocks. */
  advance(ms: number): void;
};

/** Collectors' surroundings: the real clock, which can be pushed on, real HTTP, and a memory that lives as long as this. */
export function collectorDeps(found: Partial<Discovered>, extra: Partial<Extra> = {}): TestDeps {
  const memory = new Map<string, string>();
  let pushed = 0;
  let rediscovered = 0;
  const real = systemClock();
  const clock: Clock = {
    now: () => real.now() + pushed,
    monotonic: () => real.monotonic() + pushed,
    sleep: real.sleep,
  };
  const nothing = () => {};
  const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
  const system = { clock, http: httpRequest, log } as unknown as System;
  const deps: TestDeps = {
    system,
    config: defaultConfig({}, extra),
    found: { missing: {}, ...found },
    discovered: async () => deps.found,
    rediscover: () => {
      rediscovered++;
    },
    containers: async () => [],
    recall: <T>(key: string) => {
      const text = memory.get(key);
      return text === undefined ? undefined : (JSON.parse(text) as T);
    },
    remember: (key, value) => void memory.set(key, JSON.stringify(value)),
    rediscovered: () => rediscovered,
    memory,
    advance: (ms) => {
      pushed += ms;
    },
  };
  return deps;
}

/** The defaults, with `settings` and `extra` laid over them. Nothing is read. */
export function defaultConfig(settings: Partial<Settings> = {}, extra: Partial<Extra> = {}): Config {
  const origins = Object.fromEntries(KEY_NAMES.map((key) => [key, { from: 'default' }]));
  return {
    settings: { ...defaultSettings(), ...settings },
    origins: origins as Config['origins'],
    extra: { ...defaultExtra(), ...extra },
    files: [],
    warnings: [],
    stateDir: '/nonexistent',
  };
}

/** A signal that never aborts. */
export function patience(): AbortSignal {
  return new AbortController().signal;
}
