import { DEBIAN_PACKAGE } from '../install/layout.ts';
import { readManifest } from '../install/manifest.ts';
import { planRemoval } from '../install/plan-removal.ts';
import { openMachine, packageRoot, type Machine } from '../system/machine.ts';
import { LEFT_OFF_KINDS, leftOffText } from '../model/left-off.ts';
import { errorText } from '../model/text.ts';
import { lookAtLeftOff } from '../store/left-off.ts';
import type { CommandContext } from './context.ts';
import { giveUp } from './io.ts';
import { runPlan, showPlan } from './run-plan.ts';

/** Removes what `install` made; exit 0 when nothing of it is left, 2 when a step failed, 3 when it cannot begin. */
export async function uninstall(
  context: CommandContext,
  purge: boolean,
  machine: Machine = openMachine('/'),
): Promise<number> {
  const { io, options, system } = context;
  if (!system.root && !options.dryRun)
    return giveUp(
      io,
      'uninstall removes files of root: run it as root (sudo). `--dry-run` shows what it would do.',
    );
  const manifest = readManifest(machine);
  if (!manifest && packageRoot() === DEBIAN_PACKAGE)
    return giveUp(
      io,
      'it is installed as a Debian package. `apt remove vpsmon` keeps settings and history, `apt purge vpsmon` removes them, too.',
    );
  const plan = planRemoval({
    manifest,
    purge,
    systemd: machine.exists('/run/systemd/system'),
    info: (path) => machine.info(path),
    text: (path) => machine.text(path),
  });
  const json = { version: 1, ...plan };
  if (options.dryRun) return showPlan(context, plan, json);
  const left = await bringBack(context);
  if (left.length > 0)
    return giveUp(
      io,
      `${left.join('; ')}. Without vpsmon nobody brings that back, so nothing was removed. Mend what \`vpsmon recover undo\` says, or say that it is meant to stay so with \`vpsmon recover accept\`; then run \`vpsmon uninstall\` again.`,
    );
  return runPlan(context, plan, machine, {
    json,
    hints: ['Run `vpsmon uninstall` again when that is mended: what is removed is not looked for again.'],
    done: [plan.steps.length === 0 ? 'Nothing to do: vpsmon is not installed.' : 'vpsmon is removed.'],
  });
}

/** What recovery switched off is brought back first. Returns what is off all the same, one sentence each. */
async function bringBack(context: CommandContext): Promise<string[]> {
  const { stateDir } = context.config;
  const left = () =>
    LEFT_OFF_KINDS.filter((kind) => kind !== 'limit').flatMap(
      (kind) => leftOffText(lookAtLeftOff(stateDir), kind, context.system.clock.now()) ?? [],
    );
  try {
    if (left().length === 0) return [];
    const { recover } = await import('./recover.ts');
    await recover(context, 'undo', '');
    return left();
  } catch (error) {
    return [`what recovery has stopped or paused cannot be read: ${errorText(error)}`];
  }
}
