import type { Settings } from '../config/schema.ts';
import type { Finding, Severity, Verdict } from '../model/finding.ts';
import { type WahaSession, needsPerson } from '../model/snapshot.ts';
import { formatDuration, plain } from '../model/text.ts';
import type { Judge } from './types.ts';

/** WAHA's `WAHASessionStatus`: STOPPED, STARTING, SCAN_QR_CODE, PASSKEY_*, WORKING, FAILED; unknown ones are accepted. */
export const wahaSession: Judge<'waha'> = ({ sessions }, { snapshot, config }) =>
  sessions.map((session) => judgeSession(session, snapshot.at, config.settings));

function judgeSession(session: WahaSession, now: number, settings: Settings): Finding {
  const awayMs = Math.max(0, now - Math.min(session.since, session.notWorkingSince ?? session.since));
  const { verdict, severity, limitMin } = judgeStatus(session.status, awayMs, settings);
  const name = `WhatsApp session ${plain(session.name, 60)}`;
  const status = plain(session.status, 40);
  const finding: Finding = {
    rule: 'waha-session',
    subject: session.name,
    // So that `silence waha` silences its sessions, too.
    alias: 'waha',
    severity,
    verdict,
    text:
      verdict === 'breach'
        ? `${name} is not working: ${status}${awayMs < 1000 ? '' : `, for ${formatDuration(awayMs)}`}`
        : `${name} is ${status}`,
  };
  if (verdict === 'breach') {
    finding.value = awayMs / 1000;
    if (limitMin > 0) finding.limit = limitMin * 60;
    finding.unit = 'seconds';
    finding.details = [advice(session.status)];
  }
  return finding;
}

type Judgement = { verdict: Verdict; severity: Severity; limitMin: number };

function judgeStatus(status: string, awayMs: number, settings: Settings): Judgement {
  const { WAHA_WARNING_MINUTES, WAHA_CRITICAL_MINUTES } = settings;
  // STOPPED is what an operator chose; it is nobody's alarm.
  if (status === 'WORKING' || status === 'STOPPED')
    return { verdict: 'ok', severity: 'warning', limitMin: 0 };
  if (awayMs >= WAHA_CRITICAL_MINUTES * 60_000) {
    return { verdict: 'breach', severity: 'critical', limitMin: WAHA_CRITICAL_MINUTES };
  }
  if (needsPerson(status)) return { verdict: 'breach', severity: 'warning', limitMin: 0 };
  const long = awayMs >= WAHA_WARNING_MINUTES * 60_000;
  return { verdict: long ? 'breach' : 'between', severity: 'warning', limitMin: WAHA_WARNING_MINUTES };
}

function advice(status: string): string {
  if (status === 'SCAN_QR_CODE') {
    return 'A person is needed: open the WAHA dashboard and scan the QR code with the phone (WhatsApp, Linked devices)';
  }
  if (status.startsWith('PASSKEY')) {
    return 'A person is needed: WhatsApp wants a passkey to be confirmed; open the WAHA dashboard and follow it on the phone';
  }
  return 'A restart often helps: `vpsmon recover restart-waha`; automatic recovery does it where it is switched on';
}
