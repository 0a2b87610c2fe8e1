// The event stream of the engine: one JSON object a line, never ending. A sample line:
//
//   {"Type":"container","Action":"die","Actor":{"ID":"3f4e…","Attributes":{"exitCode":"137","image":"busybox",
//    "name":"web"}},"scope":"local","time":1700000000,"timeNano":1700000000123456789}
import { object, text, texts } from './parse.ts';
import { gatherBytes } from '../answer.ts';
import type { DockerEvent } from '../types.ts';

const NEWLINE = 10;
const OPENING_BRACE = 123;
/** A container may have many labels, and all come with every event. A longer line is not an event of ours. */
const MAX_LINE = 512 * 1024;

/** Cuts a byte stream into lines, whatever the borders of its chunks. Longer lines than `max` bytes are left out. */
export function createLineSplitter(onLine: (line: string) => void, max = MAX_LINE): (chunk: Buffer) => void {
  let kept = gatherBytes();
  let size = 0;
  let skipping = false;
  return (chunk) => {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, from);
      const piece = chunk.subarray(from, end === -1 ? chunk.length : end);
      size += piece.length;
      if (size > max) {
        skipping = true;
        kept = gatherBytes();
      }
      if (!skipping) kept.add(piece);
      if (end === -1) return;
      if (kept.length > 0) onLine(kept.all().toString('utf8'));
      kept = gatherBytes();
      size = 0;
      skipping = false;
      from = end + 1;
    }
  };
}

/** A container was connected to a network, or disconnected from one: it has other addresses now. */
export const MOVED = 'moved';

/**
 * One line as an event; undefined for other types, for what healthchecks and people's shells cause (exec_*, top,
 * attach), and for anything that is not an event. `podman`: the engine is one; some of its versions use Docker's words.
 */
export function parseEvent(line: string, podman = false): DockerEvent | undefined {
  // A flood of anything else is passed by without the cost of an exception each.
  if (line.charCodeAt(0) !== OPENING_BRACE) return undefined;
  let raw: Record<string, unknown>;
  try {
    raw = object(JSON.parse(line));
  } catch {
    return undefined;
  }
  const actor = object(raw['Actor']);
  const id = text(actor['ID']);
  const attributes = texts(actor['Attributes']);
  const action = actionOf(text(raw['Action']), attributes, raw);
  const exitCode = attributes['containerExitCode'];
  if (raw['Action'] === 'died' && exitCode !== undefined) attributes['exitCode'] = exitCode;
  if (raw['Type'] === 'network') {
    const container = attributes['container'] ?? '';
    if (container === '' || !['connect', 'disconnect'].includes(action)) return undefined;
    return { timeNano: nanoOf(line, raw), action: MOVED, id: container, name: '', attributes: {} };
  }
  if (raw['Type'] !== 'container' || id === '' || action === '') return undefined;
  if (/^(exec_|top|attach|detach|resize|export|archive-path|extract-to-dir|copy|commit)/.test(action)) {
    return undefined;
  }
  return {
    timeNano: nanoOf(line, raw),
    action,
    id,
    name: attributes['name'] ?? id.slice(0, 12),
    attributes,
    ...(isMarked(action) && (podman || raw['Action'] === 'died') ? { podman: true } : {}),
  };
}

/** Deaths and healths of podman are to be read with care. */
function isMarked(action: string): boolean {
  return action === 'die' || action.startsWith('health_status');
}

/**
 * podman (4.3 and later) says `died` and `remove`, and keeps the state of the health beside the action, where Docker says
 * `die`, `destroy` and `health_status: unhealthy`.
 */
function actionOf(action: string, attributes: Record<string, string>, raw: Record<string, unknown>): string {
  if (action === 'died') return 'die';
  if (action === 'remove') return 'destroy';
  if (action !== 'health_status') return action;
  const state = text(raw['HealthStatus']) || attributes['health_status'] || attributes['healthStatus'] || '';
  return state === '' ? action : `health_status: ${state}`;
}

/** JSON numbers lose the last digits of 19; so they are read from the text. Only the real member has no escaped quotes. */
function nanoOf(line: string, raw: Record<string, unknown>): bigint {
  const exact = /"timeNano":\s*(\d{1,20})/.exec(line)?.[1];
  if (exact !== undefined) return BigInt(exact);
  const seconds = raw['time'];
  return typeof seconds === 'number' && Number.isSafeInteger(seconds) ? BigInt(seconds) * 1_000_000_000n : 0n;
}

/** Docker's form of a point in time with nanoseconds: `1700000000.123456789`. */
export function formatSince(nanoseconds: bigint): string {
  const seconds = nanoseconds / 1_000_000_000n;
  return `${seconds}.${String(nanoseconds % 1_000_000_000n).padStart(9, '0')}`;
}

/** Epoch ms. */
export function eventTime(event: DockerEvent): number {
  return Number(event.timeNano / 1_000_000n);
}
