import { parsePressure, pressureFile, scoreOf } from '../collectors/pressure.ts';
import { guestOf } from '../system/guest.ts';
import type { Files } from '../system/types.ts';

/** Of 100: half of the time some, or a quarter of it all tasks wait for memory. */
const STALLED = 50;

/** Whether the server, or the guest that this is, has no memory left to work with. Files that no disk has to answer for. False without PSI. */
export function serverStalls(files: Files): boolean {
  const pressure = parsePressure(files.textOr(pressureFile('memory', guestOf(files))) ?? '');
  return pressure !== undefined && scoreOf(pressure) >= STALLED;
}
