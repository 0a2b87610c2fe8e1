import { problemText } from '../config/problem-text.ts';
import type { Config, Problem } from '../config/schema.ts';
import { failed, ok, warning, type Line } from './types.ts';

/** A configuration that cannot be used: every problem is a line, so that all can be mended at once. */
export function judgeProblems(problems: readonly Problem[]): Line[] {
  return problems.map((problem) =>
    problem.level === 'error'
      ? failed('config', problemText(problem), 'mend it, then `vpsmon config check`')
      : warning('config', problemText(problem), 'mend it, then `vpsmon config check`'),
  );
}

export function judgeConfig(config: Config): Line[] {
  const files =
    config.files.length > 0 ? `settings from ${config.files.join(', ')}` : 'no monitor.conf: defaults';
  const lines = [ok('config', files)];
  for (const problem of config.warnings) {
    const chmod = /chmod \d+ \S+/.exec(problem.text)?.[0];
    lines.push(warning('config', problemText(problem), chmod ?? 'mend it, then `vpsmon config check`'));
  }
  const { HTTP_LISTEN: listen } = config.settings;
  if (/^(\*|0\.0\.0\.0|\[::\]):/.test(listen))
    lines.push(
      warning(
        'config',
        `HTTP_LISTEN=${listen}: everybody who reaches this server can read /metrics`,
        'set it to 127.0.0.1:8080 where nobody outside asks, or keep the port behind the firewall',
      ),
    );
  return lines;
}
