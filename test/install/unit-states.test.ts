import { describe, expect, it } from 'vitest';
import { parseSpan, parseTimestamp, parseUnits } from '../../src/system/unit-states.ts';

// systemd 252, LC_ALL=C TZ=UTC systemctl show
const SHOWN = `Type=notify
Restart=always
MainPID=663
NRestarts=2
ExecMainExitTimestamp=
MemoryCurrent=20894720
Result=success
Id=vps-monitor.service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
ActiveEnterTimestamp=Mon 2026-11-23 11:31:59 UTC
NeedDaemonReload=no

NextElapseUSecRealtime=
NextElapseUSecMonotonic=1h 2min 3.250000s
LastTriggerUSec=Mon 2026-11-23 11:33:57 UTC
Result=success
Id=vps-auto-recovery.timer
LoadState=loaded
ActiveState=active
SubState=waiting
UnitFileState=enabled
NeedDaemonReload=yes

NextElapseUSecRealtime=Tue 2026-11-24 08:00:00 UTC
NextElapseUSecMonotonic=0
LastTriggerUSec=n/a
Id=vps-daily-report.timer
LoadState=loaded
ActiveState=active

ExecMainStatus=0
MemoryCurrent=[not set]
Id=vps-nothing.service
LoadState=not-found
ActiveState=inactive
UnitFileState=
`;
const BOOT = Date.UTC(2026, 10, 23, 11, 0, 0);

describe('systemctl show', () => {
  const [monitor, recovery, report, nothing] = parseUnits(SHOWN, BOOT);
  it('reads a running service', () => {
    expect(monitor).toEqual({
      name: 'vps-monitor.service',
      load: 'loaded',
      active: 'active',
      sub: 'running',
      enabled: 'enabled',
      result: 'success',
      needReload: false,
      restarts: 2,
      memoryBytes: 20_894_720,
      activeSince: Date.UTC(2026, 10, 23, 11, 31, 59),
    });
  });
  it('turns the monotonic time of a timer into a date, and takes a calendar one as it is', () => {
    expect(recovery?.nextRunAt).toBe(BOOT + 3_723_250);
    expect(recovery?.lastRunAt).toBe(Date.UTC(2026, 10, 23, 11, 33, 57));
    expect(recovery?.needReload).toBe(true);
    expect(report?.nextRunAt).toBe(Date.UTC(2026, 10, 24, 8, 0, 0));
    expect(report?.lastRunAt).toBeUndefined();
  });
  it('knows a unit that is not there', () => {
    expect(nothing).toMatchObject({ load: 'not-found', active: 'inactive', enabled: '' });
    expect(nothing?.memoryBytes).toBeUndefined();
  });
  it.each([
    ['5min', 300_000],
    ['1w 2d 3h', 788_400_000],
    ['850ms 12us', 850.012],
    ['0', undefined],
    ['infinity', undefined],
    ['', undefined],
  ])('reads the time span %s', (text, ms) => expect(parseSpan(text)).toBe(ms));
  it('takes nothing for a date that is none', () => {
    expect(parseTimestamp('n/a')).toBeUndefined();
    expect(parseTimestamp('')).toBeUndefined();
  });
});
