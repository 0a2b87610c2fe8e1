import { execute } from '../install/execute.ts';
import { DEBIAN_PACKAGE } from '../install/layout.ts';
import { readManifest } from '../install/manifest.ts';
import { planRemoval } from '../install/plan-removal.ts';
import { renderFailure, renderNotes, renderPlan, renderStep } from '../outputs/terminal/plan.ts';
import { styleFor } from '../outputs/terminal/style.ts';
import { openMachine, packageRoot, type Machine } from '../system/machine.ts';
import { LEFT_OFF_KINDS, leftOffText } from '../model/left-off.ts';
import { errorText } from '../model/text.ts';
import { lookAtLeftOff } from '../store/left-off.ts';
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
    io.out(
      options.json ? JSON.stringify({ version: 1, ...plan }, null, 2) : renderPlan(plan, io.color, io.wrapAt),
    );
    return 0;
  }
  const left = await bringBack(context);
  if (left.length > 0) {
    io.err(
      `vpsmon: ${left.join('; ')}. Without vpsmon nobody brings that back, so nothing was removed. Mend what \`vpsmon recover undo\` says, or say that it is meant to stay so with \`vpsmon recover accept\`; then run \`vpsmon uninstall\` again.`,
    );
    return 3;
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
