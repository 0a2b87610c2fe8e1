import { expect, test } from 'vitest';
import { policyOf } from '../../src/incidents/policy.ts';
import { defaultExtra } from '../../src/config/schema.ts';
import { configWith } from '../helpers/command.ts';
import { incidentOf } from '../helpers/incident.ts';

const extra = {
  ...defaultExtra(),
  services: [
    { name: 'web', cooldownMinutes: 30, mute: ['stopped', 'started'] },
    { name: 'db', mute: ['unhealthy', 'malfunction'] },
  ],
};

test('the limits are those of the settings', () => {
  const policy = policyOf(configWith({ ALERT_RATE_LIMIT_SEC: 900, ALERT_COOLDOWN_MINUTES: 7 }));
  expect(policy.rateLimitMs).toBe(900_000);
  expect(policy.cooldownMs('redis', undefined)).toBe(420_000);
});

test('a service may have its own cooldown, by container or service name; the host has none', () => {
  const policy = policyOf(configWith({}, { extra }));
  expect(policy.cooldownMs('WEB', undefined)).toBe(1_800_000);
  expect(policy.cooldownMs('shop-web-1', 'web')).toBe(1_800_000);
  expect(policy.cooldownMs('db', undefined)).toBe(300_000);
  expect(policy.cooldownMs('host', undefined)).toBe(0);
});

test('what ended is remembered at least as long as any limit looks back', () => {
  expect(policyOf(configWith({ ALERT_COOLDOWN_MINUTES: 600 })).keepMs).toBe(36_000_000);
  expect(policyOf(configWith({}, { extra })).keepMs).toBe(1_800_000);
  expect(policyOf(configWith({})).keepMs).toBeGreaterThan(policyOf(configWith({})).flapWindowMs);
});

test('muted changes of a service', () => {
  const { muted } = policyOf(configWith({}, { extra }));
  expect(muted(incidentOf({ rule: 'container-stopped', subject: 'shop-web-1', alias: 'web' }))).toBe(true);
  expect(muted(incidentOf({ rule: 'container-unhealthy', subject: 'web' }))).toBe(false);
  expect(muted(incidentOf({ rule: 'container-unhealthy', subject: 'db' }))).toBe(true);
  expect(muted(incidentOf({ rule: 'restart-loop', subject: 'db' }))).toBe(true);
  expect(muted(incidentOf({ rule: 'oom-kill', subject: 'web' }))).toBe(false);
});
