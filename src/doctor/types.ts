/** One line of `doctor`, and of the unit part of `status`. */
export type Line = {
  /** What was looked at: `telegram`, `docker`, `vps-monitor.service`. */
  name: string;
  state: 'ok' | 'warning' | 'failed';
  /** What was found, one plain sentence. */
  text: string;
  /** What to do about it; with every warning and failure. */
  advice?: string;
};

export function ok(name: string, text: string): Line {
  return { name, state: 'ok', text };
}
export function warning(name: string, text: string, advice: string): Line {
  return { name, state: 'warning', text, advice };
}
export function failed(name: string, text: string, advice: string): Line {
  return { name, state: 'failed', text, advice };
}

/** 0 all fine, 1 warnings, 2 failures: the exit code of `doctor` and `status`. */
export function exitCodeOf(lines: readonly Line[]): 0 | 1 | 2 {
  if (lines.some((line) => line.state === 'failed')) return 2;
  return lines.some((line) => line.state === 'warning') ? 1 : 0;
}
