import { dirname, isAbsolute, join, resolve } from 'node:path';
import { errorText } from '../model/text.ts';
import { readTextFile } from '../system/read-file.ts';
import { tokenIn } from './key-formats.ts';
import { understand, type Layer, type LayerSetting } from './layers.ts';
import { placeOf, type Problem } from './schema.ts';
import { readableByOthers } from './warnings.ts';

/**
 * Reads the token from TELEGRAM_BOT_TOKEN_FILE where that is the setting that counts. A relative path is looked for among
 * the credentials that systemd hands to the unit (LoadCredential=), then beside the file that names it.
 * `layers` are in the order in which they win.
 */
export function tokenFromFile(
  layers: Layer[],
  env: NodeJS.ProcessEnv,
  cwd: string,
  problems: Problem[],
): LayerSetting | undefined {
  for (const layer of layers) {
    const named = layer.get('TELEGRAM_BOT_TOKEN_FILE');
    const direct = layer.get('TELEGRAM_BOT_TOKEN');
    const hasFile = named !== undefined && named.value !== '';
    const hasToken = direct !== undefined && direct.value !== '';
    if (hasFile && hasToken) problems.push(both(named));
    if (hasToken) return undefined;
    if (hasFile) return readToken(named, env, cwd, problems);
  }
  return undefined;
}

function both(named: LayerSetting): Problem {
  const text = 'is ignored, because TELEGRAM_BOT_TOKEN is set as well; keep one of the two';
  return { level: 'warning', ...placeOf(named.origin), key: 'TELEGRAM_BOT_TOKEN_FILE', text };
}

function readToken(
  named: LayerSetting,
  env: NodeJS.ProcessEnv,
  cwd: string,
  problems: Problem[],
): LayerSetting | undefined {
  const at = { ...placeOf(named.origin), key: 'TELEGRAM_BOT_TOKEN_FILE' };
  const base = named.origin.line === undefined ? cwd : dirname(named.origin.file ?? cwd);
  let reason = '';
  let failed = '';
  for (const path of candidates(String(named.value), base, env)) {
    try {
      const { text, mode } = readTextFile(path, 4096);
      const parsed = understand('TELEGRAM_BOT_TOKEN', tokenIn(text));
      if ('problem' in parsed || parsed.value === '') {
        const why = 'problem' in parsed ? `: ${parsed.problem}` : ' is empty';
        problems.push({ level: 'error', ...at, text: `${path}${why}` });
        return undefined;
      }
      if (readableByOthers(mode)) {
        const text = `${path} can be read by every user of this machine: chmod 600 ${path}`;
        problems.push({ level: 'warning', ...at, text });
      }
      return { value: parsed.value, origin: { from: 'file', file: path } };
    } catch (error) {
      reason = errorText(error);
      failed = path;
    }
  }
  problems.push({ level: 'error', ...at, text: `the token cannot be read: ${failed} ${reason}` });
  return undefined;
}

function candidates(path: string, base: string, env: NodeJS.ProcessEnv): string[] {
  if (isAbsolute(path)) return [path];
  const credentials = env['CREDENTIALS_DIRECTORY'];
  const expanded = path.replace(/^\$\{?CREDENTIALS_DIRECTORY\}?\//, '');
  return [...(credentials ? [join(credentials, expanded)] : []), resolve(base, expanded)];
}
