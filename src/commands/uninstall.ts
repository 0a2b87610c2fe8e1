import { execute } from '../install/execute.ts';
import { DEBIAN_PACKAGE } from '../install/layout.ts';
import { readManifest } from '../install/manifest.ts';
import { planRemoval } from '../install/plan-removal.ts';
import { renderFailure, renderNotes, renderPlan, renderStep } from '../outputs/plan.ts';
import { styleFor } from '../outputs/style.ts';
import { openMachine, packageRoot, type Machine } from '../system/machine.ts';
import type { CommandContext } from './context.ts';

/** Removes what `install` made; exit 0 when nothing of it is left, 2 when a step failed, 3 when it cannot begin. */
export async function uninstall(
  context: CommandContext,
  purge: boolean,
  machine: Machine = openMachine('/'),
): Promise<number> {
  const { io, options, system, run } = context;
  if (!system.root && !options.dryRun) {
    io.err(
      'vpsmon: uninstall removes files of root: run it as root (sudo). `--dry-run` shows what it would do.',
    );
    return 3;
  }
  const manifest = readManifest(machine);
  if (!manifest && packageRoot() === DEBIAN_PACKAGE) {
    io.err(
      'vpsmon: it is installed as a Debian package. `apt remove vpsmon` keeps settings and history, `apt purge vpsmon` removes them, too.',
    );
    return 3;
  }
  const plan = planRemoval({
    manifest,
    purge,
    systemd: machine.exists('/run/systemd/system'),
    info: (path) => machine.info(path),
    text: (path) => machine.text(path),
  });
  if (options.dryRun) {
    io.out(options.json ? JSON.stringify({ version: 1, ...plan }, null, 2) : renderPlan(plan, io.color));
    return 0;
  }
  const tell = options.json ? io.err : io.out;
  const outcome = await execute(plan.steps, machine, run, (step) => tell(renderStep(step, io.color)));
  if (outcome.state === 'failed') {
    const hints = [
      'Run `vpsmon uninstall` again when that is mended: what is removed is not looked for again.',
    ];
    io.err(renderFailure({ ...outcome, hints }, io.color));
    return 2;
  }
  const text = [
    ...renderNotes(plan.notes, styleFor(io.color)),
    '',
    plan.steps.length === 0 ? 'Nothing to do: vpsmon is not installed.' : 'vpsmon is removed.',
  ];
  io.out(options.json ? JSON.stringify({ version: 1, ...plan, done: true }, null, 2) : text.join('\n'));
  return 0;
}
