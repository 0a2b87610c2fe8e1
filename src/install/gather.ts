import { dirname, join } from 'node:path';
import { followedInfo, openMachine, type Machine } from '../system/machine.ts';
import type { Run } from '../system/types.ts';
import { ALL_UNITS, LAYOUT, SHARED, UNIT_FILES } from './layout.ts';
import { readManifest } from './manifest.ts';
import type { InstallFacts } from './plan.ts';
import { collectRuntime, isIntact } from './runtime.ts';
import { MOUNTS_PROBE, NO_MOUNTS_CODES } from './units.ts';
import { parseUnits, showUnitsCommand, SHOW_UNITS_ENV, type UnitState } from '../system/unit-states.ts';

export type GatherOptions = {
  machine: Machine;
  run: Run;
  /** Folder of the package that is installed. */
  source: string;
  /** process.execPath. */
  node: string;
  /** Settings file in use, when it is not the installed one: a first installation takes it over. */
  configFile: string | undefined;
  systemd: boolean;
};

/** Reads what is there. Changes nothing. */
export async function gatherInstall(options: GatherOptions): Promise<InstallFacts> {
  const { machine, source } = options;
  const host = openMachine('/');
  const bundled = mustBeCopied(options.node, source);
  const runtime = collectRuntime(host, source, bundled ? options.node : undefined);
  const example = join(source, 'monitor.conf.example');
  const configFile = options.configFile ?? example;
  const yamlFile = options.configFile ? join(dirname(options.configFile), 'vpsmon.yaml') : undefined;
  const yaml = yamlFile ? host.text(yamlFile) : undefined;
  return {
    runtime,
    intact: isIntact(machine, `${LAYOUT.lib}/${runtime.id}`, runtime),
    versions: machine
      .list(LAYOUT.lib)
      .filter((name) => machine.info(`${LAYOUT.lib}/${name}`)?.kind === 'folder'),
    choices: {
      node: bundled ? `${LAYOUT.current}/node/bin/node` : options.node,
      perl: followedInfo('/usr/bin/perl') ? '/usr/bin/perl' : undefined,
      noMounts: options.systemd && (await mayNotMount(options.run)),
    },
    templates: Object.fromEntries(
      UNIT_FILES.map((name) => [name, host.text(join(source, 'systemd', name)) ?? '']),
    ),
    shared: Object.fromEntries(
      SHARED.flatMap(({ from, to }) => {
        const text = host.text(join(source, 'dist/share', from));
        return text === undefined ? [] : [[to, text]];
      }),
    ),
    config: { content: host.text(configFile) ?? '', from: configFile },
    ...(yaml !== undefined && yamlFile ? { yaml: { content: yaml, from: yamlFile } } : {}),
    manifest: readManifest(machine),
    units: options.systemd ? await readUnits(options.run, 0) : [],
    info: (path) => machine.info(path),
    text: (path) => machine.text(path),
  };
}

/** Whether a unit with a sandbox ends before it begins here. Where that cannot be found out, the sandbox stays. */
async function mayNotMount(run: Run): Promise<boolean> {
  const [file = '', ...args] = MOUNTS_PROBE;
  try {
    return NO_MOUNTS_CODES.includes((await run(file, args, { timeoutMs: 30_000 })).exitCode);
  } catch {
    return false;
  }
}

/** State of all units of vpsmon, in one process. */
export async function readUnits(run: Run, bootAt: number): Promise<UnitState[]> {
  const [file = '', ...args] = showUnitsCommand(ALL_UNITS);
  const result = await run(file, args, { timeoutMs: 30_000, env: SHOW_UNITS_ENV });
  if (result.exitCode !== 0)
    throw new Error(`systemctl does not answer: ${(result.stderr || result.stdout).trim()}`);
  return parseUnits(result.stdout, bootAt);
}

/**
 * A node in somebody's home (nvm, volta) goes with that home, and the units cannot see it: it is installed, too. So is one that another
 * user than root owns, or could replace: the units run it as root.
 */
export function mustBeCopied(node: string, source: string, info = followedInfo): boolean {
  const passing = ['/home/', '/root/', '/tmp/', '/var/tmp/', '/run/', `${LAYOUT.lib}/`, `${source}/`];
  if (passing.some((folder) => node.startsWith(folder))) return true;
  for (let path = node; ; path = dirname(path)) {
    const { uid, mode } = info(path) ?? { uid: 0, mode: 0 };
    if (uid !== 0 || (mode & 0o002) !== 0) return true;
    if (path === dirname(path)) return false;
  }
}
