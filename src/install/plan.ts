import { dirname } from 'node:path';
import { isLaterVersion } from '../model/version.ts';
import { LAYOUT, MADE_BY_SYSTEMD, STARTED_UNITS, UNIT_FILES } from './layout.ts';
import { renderManifest, type Manifest } from './manifest.ts';
import {
  isOurCommand,
  isOurs,
  renderCommand,
  isOurUnit,
  NO_MOUNTS_NOTE,
  renderUnit,
  type UnitChoices,
} from './units.ts';
import type { RuntimeFile, Runtime } from './runtime.ts';
import type { FileInfo } from '../system/machine.ts';
import type { UnitState } from '../system/unit-states.ts';

/** The steps that are still to be done, in order. Empty when everything is as it should be. */
export function planInstall(facts: InstallFacts): Plan {
  const plan: Plan = { steps: [], unchanged: [], notes: [] };
  const work: Work = { facts, plan, made: new Set() };
  const interrupted = facts.manifest !== undefined && !facts.manifest.complete;

  const installed = facts.manifest?.id.replace(/-[0-9a-f]{12}$/, '') ?? '';
  if (isLaterVersion(installed, facts.runtime.version))
    plan.notes.push(
      `${installed} is installed, and this is the older ${facts.runtime.version}. Settings, history and open incidents stay; what only ${installed} knows in them is left alone.`,
    );
  planFolder(work, LAYOUT.lib, 0o755, 'the program, one folder a version');
  const manifestAt = plan.steps.length;
  planFolder(work, LAYOUT.configDir, 0o755, 'the configuration');
  planConfig(work);
  planFolder(work, LAYOUT.state, 0o711, 'history, incidents, outbox and logs');
  const switched = planRuntime(work);
  planCommand(work);
  planShared(work);
  const rewritten = planUnits(work);
  planCommands(work, { switched, rewritten, interrupted });
  planOldVersions(work);
  planManifest(work, manifestAt, interrupted);
  return plan;
}

type Work = {
  facts: InstallFacts;
  plan: Plan;
  /** Folders that the plan makes. */
  made: Set<string>;
};

function write(path: string, mode: number, content: string, why: string): WriteStep {
  return { kind: 'write', path, mode, content, why };
}

/** Never overwritten; only its permissions are mended, for it holds the bot token. */
function planConfig({ facts, plan }: Work): void {
  const present = facts.info(LAYOUT.config);
  if (!present) {
    const { content, from } = facts.config;
    plan.steps.push({ ...write(LAYOUT.config, 0o600, content, `from ${from}`), secret: true });
  } else {
    plan.unchanged.push(LAYOUT.config);
    if (present.kind === 'file' && present.mode & 0o077)
      plan.notes.push(`${LAYOUT.config} can be read by others. Run: chmod 600 ${LAYOUT.config}`);
  }
  if (!facts.yaml) return;
  if (facts.info(LAYOUT.yaml)) plan.unchanged.push(LAYOUT.yaml);
  else {
    const { content, from } = facts.yaml;
    plan.steps.push({ ...write(LAYOUT.yaml, 0o600, content, `from ${from}`), secret: true });
  }
}

/** True when the program that the units run becomes another one. */
function planRuntime({ facts, plan }: Work): boolean {
  const folder = `${LAYOUT.lib}/${facts.runtime.id}`;
  if (facts.intact) plan.unchanged.push(folder);
  else
    plan.steps.push({
      kind: 'copy',
      path: folder,
      files: facts.runtime.files,
      why: `vpsmon ${facts.runtime.version}`,
    });
  if (facts.info(LAYOUT.current)?.target === facts.runtime.id) {
    plan.unchanged.push(LAYOUT.current);
    return !facts.intact;
  }
  plan.steps.push({
    kind: 'link',
    path: LAYOUT.current,
    target: facts.runtime.id,
    why: 'the version that the units run',
  });
  return true;
}

function planCommand(work: Work): void {
  const { facts, plan } = work;
  const content = renderCommand(facts.choices.node, LAYOUT.current);
  const present = facts.info(LAYOUT.command);
  const text = present?.kind === 'file' ? (facts.text(LAYOUT.command) ?? '') : undefined;
  if (present && (text === undefined || !isOurCommand(text))) {
    plan.notes.push(
      `${LAYOUT.command} is another program's and stays. The installed one is ${LAYOUT.current}/bin/vpsmon.js.`,
    );
    return;
  }
  if (text === content && present?.mode === 0o755) {
    plan.unchanged.push(LAYOUT.command);
    return;
  }
  planParent(work, LAYOUT.command);
  plan.steps.push(write(LAYOUT.command, 0o755, content, 'the command for your shell'));
}

function planShared(work: Work): void {
  const { facts, plan } = work;
  for (const [path, content] of Object.entries(facts.shared)) {
    const present = facts.text(path);
    if (present === content && facts.info(path)?.mode === 0o644) plan.unchanged.push(path);
    else if (facts.info(path) && !isOurs(present)) plan.notes.push(`${path} is another program's and stays.`);
    else {
      planParent(work, path);
      plan.steps.push(write(path, 0o644, content, 'man page or tab completion'));
    }
  }
}

/**
 * Old versions go when nothing that was started from them can still be at work: the monitor was restarted, and none of
 * the units that the timers run is just running. Otherwise they go with the next installation.
 */
function planOldVersions({ facts, plan }: Work): void {
  const busy = facts.units.some((unit) => unit.name.endsWith('.service') && unit.active === 'activating');
  for (const name of facts.versions) {
    if (name === facts.runtime.id) continue;
    if (busy) plan.notes.push(`${LAYOUT.lib}/${name} stays for now: a unit that was started from it runs.`);
    else plan.steps.push({ kind: 'remove', path: `${LAYOUT.lib}/${name}`, why: 'an old version' });
  }
}

/** Written before everything else as incomplete, and at the end as complete; not at all when nothing is to be done. */
function planManifest({ facts, plan, made }: Work, at: number, interrupted: boolean): void {
  const files = new Set(facts.manifest?.files ?? []);
  // What is missing before the first installation is ours afterwards, whoever made it.
  if (!facts.manifest) for (const path of MADE_BY_SYSTEMD) if (!facts.info(path)) made.add(path);
  for (const step of plan.steps) if (step.kind === 'write' || step.kind === 'link') files.add(step.path);
  for (const path of plan.unchanged)
    if (path === LAYOUT.command || path in facts.shared || path.startsWith(`${LAYOUT.units}/`))
      files.add(path);
  const manifest: Manifest = {
    version: 1,
    complete: true,
    id: facts.runtime.id,
    files: [...files].toSorted(),
    // The program's own folder goes with it: it was made before the manifest in it.
    folders: [...new Set([...(facts.manifest?.folders ?? []), ...made])]
      .filter((path) => path !== LAYOUT.lib)
      .toSorted(),
  };
  const content = renderManifest(manifest);
  if (plan.steps.length === 0 && !interrupted && facts.text(LAYOUT.manifest) === content) {
    plan.unchanged.push(LAYOUT.manifest);
    return;
  }
  const incomplete = renderManifest({ ...manifest, complete: false });
  plan.steps.splice(at, 0, write(LAYOUT.manifest, 0o644, incomplete, 'what is going to be installed'));
  plan.steps.push(write(LAYOUT.manifest, 0o644, content, 'what was installed'));
}

/** The unit files that change. Units of the same name that vpsmon did not write (the bash scripts') are kept aside. */
function planUnits(work: Work): string[] {
  const { facts, plan } = work;
  const rewritten: string[] = [];
  if (facts.choices.noMounts) plan.notes.push(NO_MOUNTS_NOTE);
  for (const name of UNIT_FILES) {
    const path = `${LAYOUT.units}/${name}`;
    const content = renderUnit(facts.templates[name] ?? '', facts.choices, LAYOUT);
    const present = facts.text(path);
    if (present === content && facts.info(path)?.mode === 0o644) {
      plan.unchanged.push(path);
      continue;
    }
    rewritten.push(name);
    if (present !== undefined && !isOurUnit(present)) {
      const kept = `${LAYOUT.state}/replaced-${name}`;
      plan.notes.push(`${path} was not written by vpsmon. It is replaced; its text is kept in ${kept}.`);
      plan.steps.push(write(kept, 0o600, present, 'the unit that was there before'));
    }
    planParent(work, path);
    plan.steps.push(write(path, 0o644, content, 'unit'));
  }
  return rewritten;
}

type Changes = { switched: boolean; rewritten: string[]; interrupted: boolean };

/** The commands to systemd that are still to be given. */
function planCommands({ facts, plan }: Work, changes: Changes): void {
  const { switched, rewritten, interrupted } = changes;
  const state = new Map(facts.units.map((unit) => [unit.name, unit]));
  const run = (command: string[], why: string) => plan.steps.push({ kind: 'run', command, why });

  if (rewritten.length > 0 || interrupted || facts.units.some((unit) => unit.needReload))
    run(['systemctl', 'daemon-reload'], 'systemd reads the unit files again');
  const disabled = STARTED_UNITS.filter((name) => state.get(name)?.enabled !== 'enabled');
  if (disabled.length > 0) run(['systemctl', 'enable', ...disabled], 'started at every boot');

  // What runs with an old program or an old unit file is restarted; what does not run is started.
  const restart = STARTED_UNITS.filter(
    (name) =>
      state.get(name)?.active !== 'active' ||
      interrupted ||
      rewritten.includes(name) ||
      (switched && name === 'vps-monitor.service'),
  );
  if (restart.length > 0) run(['systemctl', 'restart', ...restart], 'started, with what is new');
  else plan.unchanged.push(...STARTED_UNITS.map((name) => `${name} (enabled and running)`));
}

/** Missing folders above it come first. All are recorded, so that `uninstall` removes them again when they are empty. */
function planFolder(work: Work, path: string, mode: number, why: string): void {
  const { facts, plan, made } = work;
  if (facts.info(path)) {
    plan.unchanged.push(path);
    return;
  }
  if (made.has(path)) return;
  planParent(work, path);
  made.add(path);
  plan.steps.push({ kind: 'folder', path, mode, why });
}

function planParent(work: Work, path: string): void {
  const parent = dirname(path);
  if (!work.facts.info(parent)) planFolder(work, parent, 0o755, 'was missing');
}

type WriteStep = {
  kind: 'write';
  path: string;
  mode: number;
  content: string;
  why: string;
  secret?: boolean;
};

/** One thing that `install` or `uninstall` does. The plan is the list of them; `--dry-run` prints it. */
export type PlanStep =
  | { kind: 'folder'; path: string; mode: number; why: string }
  | WriteStep
  | { kind: 'copy'; path: string; files: RuntimeFile[]; why: string }
  | { kind: 'link'; path: string; target: string; why: string }
  | { kind: 'remove'; path: string; why: string }
  | { kind: 'remove-empty'; path: string; why: string }
  | {
      kind: 'run';
      command: string[];
      why: string;
      /** A failure is no reason to stop. */ tolerate?: boolean;
    };

export type Plan = {
  steps: PlanStep[];
  /** What is there already, as it should be. */
  unchanged: string[];
  /** What the administrator should know. */
  notes: string[];
};

/** What there is now, and what is to be there. Read once; the plan is a pure function of it. */
export type InstallFacts = {
  runtime: Runtime;
  /** The version's folder is there, whole and unchanged. */
  intact: boolean;
  /** Names of the folders of versions that are there. */
  versions: string[];
  choices: UnitChoices;
  templates: Record<string, string>;
  /** Man pages and completion scripts, by the place where they go. */
  shared: Record<string, string>;
  /** What a first installation takes as configuration, and where that is from. */
  config: { content: string; from: string };
  yaml?: { content: string; from: string };
  manifest: Manifest | undefined;
  units: UnitState[];
  info(path: string): FileInfo | undefined;
  text(path: string): string | undefined;
};
