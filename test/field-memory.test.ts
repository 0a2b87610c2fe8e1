import { expect, it } from 'vitest';
import { judgeUnits } from '../src/doctor/units.ts';
import type { UnitState } from '../src/system/unit-states.ts';

it('U4: doctor says what helps where systemd may not make the sandbox of the unit (an LXC guest)', () => {
  const unit: UnitState = {
    name: 'vps-monitor.service',
    load: 'loaded',
    active: 'activating',
    sub: 'auto-restart',
    enabled: 'enabled',
    result: 'exit-code',
    exitStatus: 226,
    needReload: false,
  };
  expect(judgeUnits([unit], 0)[0]?.text).toMatch(/226\/NAMESPACE.*LXC guest, switch on nesting/);
  expect(judgeUnits([{ ...unit, exitStatus: 3 }], 0)[0]?.text).toMatch(/exit code 3: configuration or usage/);
});
