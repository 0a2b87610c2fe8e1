import {
  defaultExtra,
  defaultSettings,
  KEY_NAMES,
  type Config,
  type Key,
  type Origin,
  type Settings,
} from '../../src/config/schema.ts';
import type { Discovered } from '../../src/model/targets.ts';
import type { Snapshot, Source } from '../../src/model/sources.ts';
import type { ReportedLine } from '../../src/model/action.ts';
import type { RecoveryDeps } from '../../src/recovery/types.ts';
import type { Store } from '../../src/store/open.ts';
import type { Clock, System } from '../../src/system/types.ts';
import { emptySnapshot } from './snapshots.ts';

export function testConfig(
  settings: Partial<Settings> = {},
  yaml: Partial<Config['extra']['recovery']> = {},
): Config {
  const extra = defaultExtra();
  const origins = Object.fromEntries(KEY_NAMES.map((key) => [key, { from: 'default' }])) as Record<
    Key,
    Origin
  >;
  return {
    settings: { ...defaultSettings(), ...settings },
    origins,
    extra: { ...extra, recovery: { ...extra.recovery, ...yaml } },
    files: [],
    warnings: [],
    stateDir: '/nonexistent',
  };
}

export type SteppingClock = Clock & {
  add(ms: number): void;
  /** Somebody sets the clock of the machine: only what people see changes. */
  jump(ms: number): void;
};

/** A clock that moves only when something sleeps. */
function steppingClock(start: number): SteppingClock {
  let [passed, offset] = [100_000_000, start - 100_000_000];
  return {
    now: () => passed + offset,
    monotonic: () => passed,
    async sleep(ms) {
      passed += ms;
    },
    add(ms) {
      passed += ms;
    },
    jump(ms) {
      offset += ms;
    },
  };
}

export type TestDeps = RecoveryDeps & { said: ReportedLine[]; clock: SteppingClock };

/** Recovery's dependencies around a real store; `system` parts that a test does not give throw when they are used. */
export function testDeps(
  store: Store,
  options: {
    settings?: Partial<Settings>;
    /** `recovery` of vpsmon.yaml. */
    yaml?: Partial<Config['extra']['recovery']>;
    system?: Partial<System>;
    look?: (only: Source[]) => Promise<Snapshot>;
    discovered?: Discovered;
    dryRun?: boolean;
    registeredWebhooks?: RecoveryDeps['registeredWebhooks'];
    clock?: SteppingClock;
  } = {},
): TestDeps {
  const clock = options.clock ?? steppingClock(Date.parse('2026-01-31T10:00:00Z'));
  const said: ReportedLine[] = [];
  const told = new Map<string, number>();
  return {
    clock,
    said,
    store,
    config: testConfig({ ENABLE_AUTO_RECOVERY: true, ...options.settings }, options.yaml),
    system: { clock, ...options.system } as System,
    recent: () => [],
    before: () => [],
    look: options.look ?? (async () => emptySnapshot(clock.now())),
    discovered: async () => options.discovered ?? { missing: {} },
    rediscover: () => {},
    registeredWebhooks: options.registeredWebhooks ?? (async () => undefined),
    moment: () => ({ at: clock.now(), boot: 'b00t', uptimeMs: clock.monotonic() }),
    report: (line) => said.push(line),
    firstIn(key, everyMs) {
      const before = told.get(key);
      if (before !== undefined && clock.now() - before < everyMs) return false;
      told.set(key, clock.now());
      return true;
    },
    dryRun: options.dryRun ?? false,
  };
}
