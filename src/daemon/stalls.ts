import { parsePressure, scoreOf } from '../collectors/pressure.ts';
import type { Files } from '../system/types.ts';

/** Of 100: half of the time some, or a quarter of it all tasks wait for memory. */
const STALLED = 50;

/** Whether the server has no memory left to work with. Read from /proc, so that the question does not wait for a disk. False without PSI. */
export function serverStalls(files: Pick<Files, 'textOr'>): boolean {
  const pressure = parsePressure(files.textOr('/proc/pressure/memory') ?? '');
  return pressure !== undefined && scoreOf(pressure) >= STALLED;
}
