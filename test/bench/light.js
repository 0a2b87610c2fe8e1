// Starts the monitor as the installed unit does: its flags and its settings of the C library.
import { readFileSync } from 'node:fs';

export function lightStart() {
  const unit = readFileSync(new URL('../../systemd/vps-monitor.service', import.meta.url), 'utf8');
  const flags = /^ExecStart=@LAUNCH@@NODE@ (.*) @LIB@/m.exec(unit)[1].split(' ');
  const malloc = /^Environment=(MALLOC_.*)$/m.exec(unit)[1];
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, NO_COLOR: '1' };
  return {
    flags,
    env: { ...env, ...Object.fromEntries(malloc.split(' ').map((pair) => pair.split('='))) },
  };
}
