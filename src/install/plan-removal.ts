import { UNFINISHED, type FileInfo } from '../system/machine.ts';
import { LAYOUT, SHARED, SLICE, UNIT_FILES } from './layout.ts';
import type { Manifest } from './manifest.ts';
import type { Plan } from './plan.ts';
import { isOurCommand, isOurs, isOurUnit } from './units.ts';

export type RemovalFacts = {
  manifest: Manifest | undefined;
  purge: boolean;
  systemd: boolean;
  info(path: string): FileInfo | undefined;
  text(path: string): string | undefined;
};

/** Everything that `install` made, last things first. The program itself goes last: it is what runs this. */
export function planRemoval(facts: RemovalFacts): Plan {
  const plan: Plan = { steps: [], unchanged: [], notes: [] };
  const remove = (path: string, why: string) => {
    if (facts.info(path)) plan.steps.push({ kind: 'remove', path, why });
    if (facts.info(path + UNFINISHED))
      plan.steps.push({ kind: 'remove', path: path + UNFINISHED, why: 'half written' });
  };

  const units = UNIT_FILES.filter((name) => {
    const text = facts.text(`${LAYOUT.units}/${name}`);
    return text !== undefined && isOurUnit(text);
  });
  const systemctl = (why: string, args: string[], more: { tolerate?: boolean } = {}) => {
    if (facts.systemd && units.length > 0)
      plan.steps.push({ kind: 'run', command: ['systemctl', ...args], why, ...more });
  };
  // The slice ends with the last unit in it.
  const started = units.filter((name) => name !== SLICE);
  if (started.length > 0) systemctl('stopped, and not started any more', ['disable', '--now', ...started]);
  for (const name of UNIT_FILES) {
    const path = `${LAYOUT.units}/${name}`;
    if (!units.includes(name) && facts.info(path))
      plan.notes.push(`${path} was not written by vpsmon and stays.`);
    else remove(path, 'unit');
  }
  systemctl('systemd forgets them', ['daemon-reload']);
  systemctl('and how they ended', ['reset-failed', ...units], { tolerate: true });
  remove(LAYOUT.stamp, "systemd's memory of the last report");

  const command = facts.info(LAYOUT.command);
  if (command && !(command.kind === 'file' && isOurCommand(facts.text(LAYOUT.command) ?? '')))
    plan.notes.push(`${LAYOUT.command} is another program's and stays.`);
  else remove(LAYOUT.command, 'the command');
  for (const { to } of SHARED)
    if (!facts.info(to) || isOurs(facts.text(to))) remove(to, 'man page or tab completion');
  if (facts.purge) {
    remove(LAYOUT.configDir, 'configuration (--purge)');
    remove(LAYOUT.state, 'history, incidents and logs (--purge)');
  } else {
    for (const path of [LAYOUT.configDir, LAYOUT.state])
      if (facts.info(path)) plan.notes.push(`${path} is kept; \`vpsmon uninstall --purge\` removes it, too.`);
  }
  remove(LAYOUT.lib, 'the program');
  // Deepest first: a folder is empty when what was made in it is gone.
  const folders = (facts.manifest?.folders ?? []).toSorted((a, b) => b.length - a.length);
  for (const path of folders) {
    // These two were dealt with above.
    if (path === LAYOUT.configDir || path === LAYOUT.state || !facts.info(path)) continue;
    plan.steps.push({ kind: 'remove-empty', path, why: 'made by install' });
  }
  return plan;
}
