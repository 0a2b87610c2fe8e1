import { describe, expect, test } from 'vitest';
import type { WahaSession } from '../../src/model/snapshot.ts';
import { AT, judged, ok, short, type Given } from './judge.ts';

const MINUTE = 60_000;
function session(status: string, minutes: number, more: Partial<WahaSession> = {}): WahaSession {
  return { name: 'default', status, since: AT - minutes * MINUTE, ...more };
}
function judge(given: Given, ...sessions: WahaSession[]) {
  return judged('waha-session', { waha: ok({ address: 'http://waha:3000', sessions }) }, given);
}

describe('waha-session', () => {
  test.each([
    ['WORKING', 0, 'ok'],
    ['WORKING', 100_000, 'ok'],
    ['STOPPED', 100_000, 'ok'],
    ['STARTING', 0, 'between'],
    ['STARTING', 4.9, 'between'],
    ['STARTING', 5, 'warning'],
    ['STARTING', 59.9, 'warning'],
    ['STARTING', 60, 'critical'],
    ['FAILED', 4.9, 'between'],
    ['FAILED', 5, 'warning'],
    ['FAILED', 61, 'critical'],
    ['SCAN_QR_CODE', 0, 'warning'],
    ['SCAN_QR_CODE', 60, 'critical'],
    ['PASSKEY_REQUIRED', 0, 'warning'],
    ['PASSKEY_CONFIRMATION_REQUIRED', 0, 'warning'],
    ['SOMETHING_NEW', 4, 'between'],
    ['SOMETHING_NEW', 5, 'warning'],
    ['SOMETHING_NEW', 60, 'critical'],
  ])('%s for %d min: %s', (status, minutes, expected) => {
    expect(judge({}, session(status, minutes)).map(short)).toEqual([expected]);
  });

  test('wandering between STARTING and FAILED counts from when it last worked', () => {
    const wandering = session('STARTING', 1, { notWorkingSince: AT - 70 * MINUTE });
    expect(judge({}, wandering).map(short)).toEqual(['critical']);
    expect(judge({}, wandering)[0]!.text).toBe(
      'WhatsApp session default is not working: STARTING, for 1 h 10 min',
    );
  });

  test('tells what to do: a person for a code, a restart otherwise', () => {
    expect(judge({}, session('SCAN_QR_CODE', 0))[0]!.details![0]).toContain('scan the QR code');
    expect(judge({}, session('PASSKEY_REQUIRED', 0))[0]!.details![0]).toContain('passkey');
    expect(judge({}, session('FAILED', 9))[0]!.details![0]).toContain('vpsmon recover restart-waha');
  });

  test('what has only just been seen is not said to last', () => {
    expect(judge({}, session('SCAN_QR_CODE', 0))[0]!.text).toMatch(/ is not working: SCAN_QR_CODE$/);
    expect(judge({}, session('SCAN_QR_CODE', 2))[0]!.text).toMatch(
      /SCAN_QR_CODE, for 2 min 0 s$|SCAN_QR_CODE, for 2 min$/,
    );
  });

  test('for how long is its value; a code that is needed at once has no limit', () => {
    expect(judge({}, session('FAILED', 9))[0]).toMatchObject({ value: 540, limit: 300, unit: 'seconds' });
    expect(judge({}, session('SCAN_QR_CODE', 9))[0]).not.toHaveProperty('limit');
  });

  test('each session is a subject of its own; all of them can be silenced as waha', () => {
    const findings = judge({}, session('WORKING', 1), session('FAILED', 9, { name: 'sales' }));
    expect(findings.map((f) => [f.subject, f.alias, short(f)])).toEqual([
      ['default', 'waha', 'ok'],
      ['sales', 'waha', 'warning'],
    ]);
  });

  test('the times are those of the settings', () => {
    const settings = { WAHA_WARNING_MINUTES: 1, WAHA_CRITICAL_MINUTES: 2 };
    expect([0.5, 1, 2].map((m) => short(judge({ settings }, session('FAILED', m))[0]!))).toEqual([
      'between',
      'warning',
      'critical',
    ]);
  });

  test('a since in the future (the clock was put back) is no time at all', () => {
    expect(judge({}, session('FAILED', -30)).map(short)).toEqual(['between']);
  });
});
