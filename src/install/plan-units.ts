import type { InstallFacts } from './facts.ts';
import { LAYOUT, STARTED_UNITS, UNIT_FILES } from './layout.ts';
import { planFolder } from './plan-folder.ts';
import type { Plan } from './step.ts';
import { isOurUnit, NO_MOUNTS_NOTE, renderUnit } from './units.ts';

/** The unit files that change. Units of the same name that vpsmon did not write (the bash scripts') are kept aside. */
export function planUnits(facts: InstallFacts, plan: Plan, folders: Set<string>): string[] {
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
      plan.steps.push({
        kind: 'write',
        path: kept,
        mode: 0o600,
        content: present,
        why: 'the unit that was there before',
      });
    }
    if (!facts.info(LAYOUT.units)) planFolder(facts, plan, folders, LAYOUT.units, 0o755, 'was missing');
    plan.steps.push({ kind: 'write', path, mode: 0o644, content, why: 'unit' });
  }
  return rewritten;
}

type Changes = { switched: boolean; rewritten: string[]; interrupted: boolean };

/** The commands to systemd that are still to be given. */
export function planCommands(facts: InstallFacts, plan: Plan, changes: Changes): void {
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
