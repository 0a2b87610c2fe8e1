import { fstatSync, writeSync } from 'node:fs';
import { formatTime, maskSecrets } from '../model/text.ts';
import type { Log, LogLevel } from './types.ts';

const LEVELS: LogLevel[] = ['DEBUG', 'INFO', 'WARNING', 'ERROR'];
/** An alert's line begins with its severity. */
const WITH_SEVERITY = /^(INFO|WARNING|CRITICAL) /;
/** Priorities as syslog has them (sd-daemon(3)). */
const PRIORITY: Record<LogLevel, number> = { DEBUG: 7, INFO: 6, WARNING: 4, ERROR: 3 };

/**
 * Diagnostics on stderr, a line each, secrets masked: `2026-01-31 10:30:00 WARNING text`. Under systemd the journal has
 * the time already, so the line begins with its priority instead: `<4>text`.
 */
export function stderrLog(
  level: LogLevel,
  secrets: readonly string[],
  write: (line: string) => void = toStderr,
  journal = process.env['JOURNAL_STREAM'] !== undefined,
): Log {
  const threshold = LEVELS.indexOf(level);
  function log(of: LogLevel, text: string): void {
    if (LEVELS.indexOf(of) < threshold) return;
    const line = oneLine(maskSecrets(text, secrets));
    const named = WITH_SEVERITY.test(line) ? line : `${of} ${line}`;
    write(journal ? `<${PRIORITY[of]}>${line}\n` : `${formatTime(Date.now())} ${named}\n`);
  }
  return {
    debug: (text) => log('DEBUG', text),
    info: (text) => log('INFO', text),
    warn: (text) => log('WARNING', text),
    error: (text) => log('ERROR', text),
  };
}

/** Whether this file descriptor is the one that systemd has connected to the journal (systemd.exec(5)). */
export function isJournal(env: NodeJS.ProcessEnv, fd: number): boolean {
  if (env['JOURNAL_STREAM'] === undefined) return false;
  const { dev, ino } = fstatSync(fd);
  return env['JOURNAL_STREAM'] === `${dev}:${ino}`;
}

/** A name with a line break or an escape sequence in it must not forge another line or colour a terminal. */
function oneLine(text: string): string {
  // oxlint-disable-next-line no-control-regex -- taking control characters out is the point
  return joined(text).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ');
}

function joined(text: string): string {
  if (!text.includes('\n')) return text;
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '').join(' | ');
}

/** Written at once, so that the last line before an exit is not lost. A full or closed pipe is nobody's reason to stop. */
function toStderr(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // Nowhere left to write it.
  }
}
