import type { RunResult } from './types.ts';

const MIB = 1_048_576;

/**
 * Runs a program without a shell. Resolves for every exit code (a deadline that passed: 124, ended by a signal: 128);
 * rejects, with the program's name, when it cannot be started.
 */
export async function run(
  file: string,
  args: string[],
  options: { timeoutMs?: number; env?: Record<string, string>; input?: string } = {},
): Promise<RunResult> {
  // Loaded when first needed: 84 ms and 11 MB that the daemon never spends.
  const { execa } = await import('execa');
  const result = await execa(file, args, {
    reject: false,
    timeout: options.timeoutMs ?? 30_000,
    killSignal: 'SIGKILL',
    maxBuffer: 16 * MIB,
    stripFinalNewline: false,
    // Messages of systemctl and the like are compared: never translated.
    env: { LC_ALL: 'C', ...options.env },
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
  });
  if (result.exitCode === undefined && !result.timedOut && result.signal === undefined) {
    const code = 'code' in result ? String(result.code) : 'unknown error';
    // A folder of PATH that this user may not look into gives EACCES for a program that is nowhere.
    const missing = code === 'ENOENT' || (code === 'EACCES' && !file.includes('/'));
    const why = missing ? 'is not installed' : `cannot be started (${code})`;
    throw Object.assign(new Error(`${file} ${why}`), { code });
  }
  const exitCode = result.timedOut ? 124 : (result.exitCode ?? 128);
  return { exitCode, stdout: String(result.stdout ?? ''), stderr: String(result.stderr ?? '') };
}
