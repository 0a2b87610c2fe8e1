import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Action } from '../model/action.ts';
import { writeAtomically } from '../system/write-file.ts';

/**
 * A copy, beside the database, of every action that waits to be undone: a damaged database must not leave anything switched off that
 * nobody knows of. Docker cannot label a container that exists, so this file is what tells which ones recovery has stopped.
 */
const FILE = 'vpsmon.db-left-off.json';

type Copy = { path: string; written: string | undefined };
const copies = new WeakMap<object, Copy>();

function copyPath(stateDir: string): string {
  return join(stateDir, FILE);
}

/** Whether there ever was a database in this state folder: each one has its copy from the start. */
export function hasCopy(stateDir: string): boolean {
  return existsSync(copyPath(stateDir));
}

/** From now on `writeCopy` for this database writes into this state folder. */
export function keepCopy(db: object, stateDir: string): void {
  const path = copyPath(stateDir);
  if (existsSync(path)) chmodSync(path, 0o600);
  copies.set(db, { path, written: existsSync(path) ? readFileSync(path, 'utf8') : undefined });
}

/** Writes the copy where it has changed. One that cannot be written (a full disk) is no reason not to repair: the database has it. */
export function writeCopy(db: object, actions: readonly Action[]): void {
  const copy = copies.get(db);
  const text = `${JSON.stringify({ version: 1, actions })}\n`;
  if (!copy || copy.written === text) return;
  try {
    writeAtomically(copy.path, text, 0o600);
    copy.written = text;
  } catch {
    copy.written = undefined;
  }
}

/** What the copy in this state folder has; undefined where there is none. Throws where it cannot be read. */
export function readCopy(stateDir: string): Action[] | undefined {
  const path = copyPath(stateDir);
  if (!existsSync(path)) return undefined;
  const { actions } = JSON.parse(readFileSync(path, 'utf8')) as { actions?: unknown };
  if (!Array.isArray(actions)) throw new Error(`${path} holds no list of actions`);
  return actions.filter(isAction);
}

function isAction(value: unknown): value is Action {
  const { rule, target, what, why, state, startedAt, undo } = (value ?? {}) as Record<string, unknown>;
  const texts = [rule, target, what, why, state].every((one) => typeof one === 'string');
  return texts && Number.isFinite(startedAt) && typeof undo === 'object' && undo !== null;
}
