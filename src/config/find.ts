import { dirname, join, resolve } from 'node:path';
import { errorText } from '../model/text.ts';
import { readTextFile, type TextFile } from '../system/read-file.ts';
import type { Problem } from './schema.ts';

/** A monitor.conf with every key and its sentence has 8 KB, 500 services with settings in vpsmon.yaml have 50 KB. */
const MAX_BYTES = 131_072;

export type FoundFile = { path: string; file: TextFile };

export type Places = { config?: string; env: NodeJS.ProcessEnv; cwd: string; etcDir: string };

/**
 * monitor.conf: the file that was named (--config, VPSMON_CONFIG), which must be there, or else the first of
 * ./monitor.conf and /etc/vpsmon/monitor.conf, which may be missing.
 */
export function findConf(places: Places, problems: Problem[]): FoundFile | undefined {
  const { config, env, cwd, etcDir } = places;
  const named = config ?? (env['VPSMON_CONFIG'] || undefined);
  if (named !== undefined) {
    const from = config === undefined ? 'VPSMON_CONFIG' : '--config';
    return readNamed(resolve(cwd, named), from, problems);
  }
  for (const path of [join(cwd, 'monitor.conf'), join(etcDir, 'monitor.conf')]) {
    const found = readIfThere(path, problems);
    if (found) return found;
    if (problems.some((p) => p.file === path)) return undefined;
  }
  return undefined;
}

/** vpsmon.yaml beside the monitor.conf that is used; without one, in the folders where it would have been looked for. */
export function findYaml(
  places: Places,
  conf: FoundFile | undefined,
  problems: Problem[],
): FoundFile | undefined {
  const folders = conf ? [dirname(conf.path)] : [places.cwd, places.etcDir];
  for (const folder of folders) {
    for (const name of ['vpsmon.yaml', 'vpsmon.yml']) {
      const path = join(folder, name);
      const found = readIfThere(path, problems);
      if (found || problems.some((p) => p.file === path)) return found;
    }
  }
  return undefined;
}

function readNamed(path: string, from: string, problems: Problem[]): FoundFile | undefined {
  if (/\.ya?ml$/i.test(path)) {
    const text = `${from} names a monitor.conf, a file of KEY=value lines; a vpsmon.yaml beside it is read by itself`;
    problems.push({ level: 'error', file: path, text });
    return undefined;
  }
  try {
    return { path, file: readTextFile(path, MAX_BYTES) };
  } catch (error) {
    problems.push({ level: 'error', file: path, text: `${errorText(error)}; ${from} names it` });
    return undefined;
  }
}

function readIfThere(path: string, problems: Problem[]): FoundFile | undefined {
  try {
    return { path, file: readTextFile(path, MAX_BYTES) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    // /etc/vpsmon/monitor.conf belongs to root alone: another user still gets a check with the defaults.
    const denied = code === 'EACCES' || code === 'EPERM';
    const text = denied
      ? `${errorText(error)}, so the defaults hold; run it with sudo to use this file`
      : errorText(error);
    problems.push({ level: denied ? 'warning' : 'error', file: path, text });
    return undefined;
  }
}
