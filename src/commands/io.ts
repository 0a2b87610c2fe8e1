import { safeJson } from '../model/invisible.ts';
import { wrapLines } from '../outputs/terminal/style.ts';
import { isJournal } from '../system/log.ts';
import type { CommandContext, Io } from './context.ts';

/** The terminal: results on stdout, diagnostics on stderr; colour only where a person looks and did not say no. */
export function terminalIo(env: NodeJS.ProcessEnv = process.env): Io {
  const color = process.stdout.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
  const journal = isJournal(env, 2);
  // A reader that has seen enough (`vpsmon export --stdout | head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  return {
    out: (text) => void process.stdout.write(text.endsWith('\n') ? text : `${text}\n`),
    err: (text) => {
      const lines = text.replace(/\n$/, '');
      process.stderr.write(`${journal ? withPriority(lines) : wrapLines(lines, process.stderr.columns)}\n`);
    },
    color,
    columns: process.stdout.columns ?? (Number(process.env.COLUMNS) || 100),
    wrapAt: process.stdout.columns || undefined,
  };
}

/** What is wrong with settings or a call as `journalctl -p warning` finds it: each line begins with its priority (sd-daemon(3)). */
function withPriority(text: string): string {
  return text.replace(/^warning: /gm, '<4>$&').replace(/^(?:error|vpsmon): /gm, '<3>$&');
}

/** Sentences on stdout, broken between words where they are longer than the terminal is wide. */
export function print(io: Io, text: string): void {
  io.out(wrapLines(text, io.wrapAt));
}

/** Says why a command does not do what was asked for. Answers its exit code. */
export function giveUp(io: Pick<Io, 'err'>, why: string, exitCode = 3): number {
  io.err(`vpsmon: ${why}`);
  return exitCode;
}

/** What a command prints with --json. */
export function printJson(io: Io, value: unknown): void {
  io.out(safeJson(value, 2));
}

/** True for a unit of systemd: what it prints is read by nobody at that moment, and kept. */
export function writesToJournal({ env, io }: Pick<CommandContext, 'env' | 'io'>): boolean {
  return env['JOURNAL_STREAM'] !== undefined && io.wrapAt === undefined;
}
