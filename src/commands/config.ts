import { loadConfig } from '../config/load.ts';
import { secretsOf } from '../config/secrets.ts';
import { configCheckJson, configJson, renderConfig, renderConfigCheck } from '../outputs/terminal/config.ts';
import { renderProblems } from '../outputs/terminal/problems.ts';
import { here, type GlobalOptions, type Io } from './context.ts';
import { printJson } from './io.ts';

/** All problems at once, on stdout: they are the result. Exit 0 fine, 1 warnings, 2 errors. */
export async function configCheck(options: GlobalOptions, io: Io, around = here()): Promise<number> {
  const loaded = await loadConfig({ ...options, ...around });
  const problems = 'problems' in loaded ? loaded.problems : loaded.config.warnings;
  const files = 'problems' in loaded ? [] : loaded.config.files;
  if (options.json) printJson(io, configCheckJson(problems, files));
  else io.out(renderConfigCheck(problems, files, io.color));
  if ('problems' in loaded) return 2;
  return problems.length > 0 ? 1 : 0;
}

/** The effective values, and where each came from; secrets masked. Exit 0, or 3 where there is no usable configuration. */
export async function configShow(options: GlobalOptions, io: Io, around = here()): Promise<number> {
  const loaded = await loadConfig({ ...options, ...around });
  if ('problems' in loaded) {
    io.err(renderProblems(loaded.problems, io.color));
    return 3;
  }
  const { config } = loaded;
  if (config.warnings.length > 0) io.err(renderProblems(config.warnings, io.color));
  const secrets = secretsOf(config);
  if (options.json) printJson(io, configJson(config, secrets));
  else io.out(renderConfig(config, secrets));
  return 0;
}
