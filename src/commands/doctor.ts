import type { Problem } from '../config/schema.ts';
import { judgeProblems } from '../doctor/config.ts';
import { exitCodeOf, type Line } from '../doctor/types.ts';
import { renderDoctor } from '../outputs/terminal/lines.ts';
import { openMachine, type Machine } from '../system/machine.ts';
import { run } from '../system/run.ts';
import { openSystem } from '../system/system.ts';
import { VERSION } from '../version.ts';
import type { CommandContext, GlobalOptions, Io } from './context.ts';
import { makeContext } from './make-context.ts';
import { askDocker, dockerIsInstalled, examine, examineHost, examineUnits } from './examine.ts';
import { printJson } from './io.ts';

/** What `doctor` has when the configuration cannot be used. */
export type WithProblems = { io: Io; options: GlobalOptions; problems: Problem[] };

/** The command: also where the settings have mistakes, which then stand among its lines. */
export async function runDoctor(options: GlobalOptions, io: Io): Promise<number> {
  const context = await makeContext(options, io, { quiet: true });
  return doctor('problems' in context ? { io, options, problems: context.problems } : context);
}

/** Tests the whole set-up. Exit 0 all well, 1 warnings, 2 something does not work. */
export async function doctor(
  input: CommandContext | WithProblems,
  machine: Machine = openMachine('/'),
): Promise<number> {
  const { io, options } = input;
  const lines =
    'problems' in input ? await withoutConfig(input.problems, machine) : await examine(input, machine);
  if (options.json) printJson(io, { version: 1, vpsmon: VERSION, lines });
  else io.out(renderDoctor(lines, io.color, io.wrapAt));
  return exitCodeOf(lines);
}

/** The configuration is broken: its problems, and what can be said about the host without it. */
async function withoutConfig(problems: Problem[], machine: Machine): Promise<Line[]> {
  const system = openSystem({ dockerHost: '', hostRoot: '/', logLevel: 'ERROR', secrets: [] });
  const lines = [
    ...judgeProblems(problems),
    ...examineHost(system),
    ...(await askDocker(system.docker, '', dockerIsInstalled(machine))),
    ...(await examineUnits({ system, run }, machine)),
  ];
  system.docker.close();
  system.kernelLog.close();
  return lines;
}
