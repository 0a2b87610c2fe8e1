import { keptFromEnvironment } from '../daemon/reload.ts';
import { gatherInstall } from '../install/gather.ts';
import { DEBIAN_PACKAGE, LAYOUT } from '../install/layout.ts';
import { planInstall, type Plan } from '../install/plan.ts';
import { errorText } from '../model/text.ts';
import { openMachine, packageRoot, type Machine } from '../system/machine.ts';
import type { CommandContext } from './context.ts';
import { giveUp } from './io.ts';
import { runPlan, showPlan } from './run-plan.ts';

/** Where it works; tests hand in a folder of their own. */
export type InstallPlace = { machine: Machine; source: string; node: string };

/** Installs, upgrades or mends; exit 0 when everything is as it should be, 2 when a step failed, 3 when it cannot begin. */
export async function install(context: CommandContext, place: InstallPlace = thisPlace()): Promise<number> {
  const { io, options, run } = context;
  const { machine } = place;
  const dryRun = options.dryRun === true;
  const systemd = machine.exists('/run/systemd/system');
  const refusal = whyNot(context, systemd, machine.exists(DEBIAN_PACKAGE));
  if (refusal && !dryRun) {
    io.err(refusal);
    return 3;
  }
  const configFile = context.config.files.find((file) => file !== LAYOUT.config && !/\.ya?ml$/.test(file));
  let plan: Plan;
  try {
    plan = planInstall(await gatherInstall({ ...place, run, configFile, systemd }));
  } catch (error) {
    return giveUp(io, errorText(error, 1000));
  }
  plan.notes.push(...environmentNotes(context));

  const json = toJson(plan);
  if (dryRun) {
    const code = showPlan(context, plan, json);
    if (refusal) io.err(refusal);
    return code;
  }
  const state =
    plan.steps.length === 0
      ? 'Nothing to do: vpsmon is installed, enabled and running.'
      : 'vpsmon is installed, enabled and running.';
  return runPlan(context, plan, machine, { json, hints: HINTS, done: [state, ...nextSteps(context)] });
}

const HINTS = [
  'Run `vpsmon install` again to finish it: what is done is not done twice. `vpsmon uninstall` takes it back.',
  'If a unit did not start: journalctl -u vps-monitor.service -n 30; and `vpsmon doctor`.',
];

function thisPlace(): InstallPlace {
  return { machine: openMachine('/'), source: packageRoot(), node: process.execPath };
}

function whyNot({ system }: CommandContext, systemd: boolean, asPackage: boolean): string | undefined {
  if (!systemd)
    return (
      'vpsmon: this machine does not run systemd, so there are no units to install.\n' +
      'Run `vpsmon monitor` under what starts services here, or in a container: docs/container.md says how.'
    );
  if (packageRoot() === DEBIAN_PACKAGE)
    return 'vpsmon: it is installed as a Debian package, units included: `apt install --reinstall ./vpsmon_*.deb` puts back what is missing. `vpsmon setup` is for the settings, `vpsmon doctor` tests them.';
  if (asPackage)
    return 'vpsmon: the Debian package is installed here, with units of its own. Upgrade it (`apt install ./vpsmon_*.deb`), or `apt remove vpsmon` first: settings and history stay.';
  if (!system.root)
    return 'vpsmon: install writes to /etc and /usr/local: run it as root (sudo). `--dry-run` shows what it would do.';
  return undefined;
}

/** What the service will not see, because it is set in this shell only. */
function environmentNotes({ config }: CommandContext): string[] {
  const keys = keptFromEnvironment(config);
  if (keys.length === 0) return [];
  return [
    `Set in this shell only, and not seen by the units: ${keys.join(', ')}. Put them into ${LAYOUT.config}.`,
  ];
}

function nextSteps({ config }: CommandContext): string[] {
  const { TELEGRAM_CHAT_ID, TELEGRAM_BOT_TOKEN, TELEGRAM_BOT_TOKEN_FILE } = config.settings;
  const canSend = TELEGRAM_CHAT_ID !== '' && (TELEGRAM_BOT_TOKEN || TELEGRAM_BOT_TOKEN_FILE) !== '';
  return [
    '',
    'Next:',
    ...(canSend ? [] : ['  vpsmon setup    pairs your phone with a bot, so that alerts reach you']),
    '  vpsmon doctor   tests the whole set-up',
    '  vpsmon status   shows how it goes',
  ];
}

/** The documented shape of `install --json`: contents of secret files are left out. */
function toJson(plan: Plan) {
  return {
    version: 1,
    steps: plan.steps.map((step) => {
      if (step.kind === 'write') {
        const { content, secret, ...rest } = step;
        return secret ? rest : { ...rest, content };
      }
      if (step.kind === 'copy') return { ...step, files: step.files.map((file) => file.path) };
      return step;
    }),
    unchanged: plan.unchanged,
    notes: plan.notes,
  };
}
