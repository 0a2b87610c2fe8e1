import { expect } from 'vitest';
import { defaultExtra, type Extra, type Settings } from '../../src/config/schema.ts';
import type { Finding } from '../../src/model/finding.ts';
import type { Readings } from '../../src/model/sources.ts';
import { judgeAll } from '../../src/checks/judge.ts';
import { createPipeline } from '../../src/incidents/pipeline.ts';
import { htmlToPlain } from '../../src/model/html.ts';
import { renderNotification } from '../../src/outputs/telegram/incidents.ts';
import { openStore } from '../../src/store/open.ts';
import type { Past } from '../../src/rules/types.ts';
import { configWith } from '../helpers/command.ts';
import { emptySnapshot } from '../helpers/snapshots.ts';

export const AT = 1_768_392_000_000;
export const MB = 1_048_576;

export type Given = {
  past?: Partial<Past>;
  settings?: Partial<Settings>;
  extra?: Partial<Extra>;
};

/** What one rule says about these readings; every other source is absent. */
export function judged(rule: string, readings: Partial<Readings>, given: Given = {}): Finding[] {
  const past: Past = { failedInARow: {}, growth: [], forecasts: [], historyStart: 0, ...given.past };
  const config = configWith(given.settings ?? {}, { extra: { ...defaultExtra(), ...given.extra } });
  return judgeAll(emptySnapshot(AT, readings), past, config).filter((finding) => finding.rule === rule);
}

/** The same for a rule that says exactly one thing. */
export function judgedOne(rule: string, readings: Partial<Readings>, given: Given = {}): Finding {
  const findings = judged(rule, readings, given);
  expect(findings).toHaveLength(1);
  return findings[0]!;
}

/** The messages of one rule about checks 30 s apart, as they reach the phone: the first line of each. */
export function titles(rule: string, checks: readonly Partial<Readings>[], given: Given = {}): string[] {
  let now = AT;
  const said: string[] = [];
  const store = openStore('/dev/null/nowhere', AT); // In memory.
  const pipeline = createPipeline({
    store,
    config: configWith(given.settings ?? {}, { extra: { ...defaultExtra(), ...given.extra } }),
    clock: { now: () => now, monotonic: () => now - AT },
    log: { debug() {}, info() {}, warn() {} },
    enqueue: ({ html }) => said.push(htmlToPlain(html).split('\n')[0]!),
    render: (decision) => renderNotification(decision, 'vps1', now),
  });
  for (const readings of checks) {
    pipeline.process(judged(rule, readings, given), { judged: [rule] });
    now += 30_000;
  }
  store.close();
  return said;
}

/** A reading that went well. */
export function ok<T>(value: T): { state: 'ok'; value: T; tookMs: number } {
  return { state: 'ok', value, tookMs: 1 };
}

/** Verdict and severity in one word or two: `ok`, `between`, `critical`. */
export function short({ verdict, severity }: Finding): string {
  return verdict === 'breach' ? severity : verdict;
}
