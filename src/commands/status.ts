import { hostName, serverName } from '../config/server-name.ts';
import { askHealth, judgeHealthAnswer } from '../doctor/health.ts';
import { judgeDelivery } from '../doctor/delivery.ts';
import { judgeEvents } from '../doctor/docker.ts';
import { judgeLeftOff } from '../doctor/left-off.ts';
import { exitCodeOf, warning, type Line } from '../doctor/types.ts';
import { judgeUnits } from '../doctor/units.ts';
import { readUnits } from '../install/gather.ts';
import { LAYOUT } from '../install/layout.ts';
import type { UnitState } from '../system/unit-states.ts';
import type { Incident } from '../model/incident.ts';
import { errorText, isoTime } from '../model/text.ts';
import { deliveryState, type DeliveryState } from '../notify/state.ts';
import { renderStatus } from '../outputs/terminal/status.ts';
import { openIncidents } from '../store/incidents.ts';
import { lookAtLeftOff } from '../store/left-off.ts';
import { openToLook } from '../store/look.ts';
import { openMachine, type Machine } from '../system/machine.ts';
import { bootedAt } from '../system/moment.ts';
import { VERSION } from '../version.ts';
import type { CommandContext } from './context.ts';
import { printJson } from './io.ts';

/** How it goes, at one glance. Exit 0 all well, 1 something wants doing, 2 something does not work. */
export async function status(context: CommandContext, machine: Machine = openMachine('/')): Promise<number> {
  const { system, io, options, config } = context;
  const now = system.clock.now();
  const [units, health] = await Promise.all([
    unitsOf(context, machine, now),
    askHealth(system.http, { listen: config.settings.HTTP_LISTEN, stateDir: config.stateDir }),
  ]);
  const installed = Array.isArray(units) && units.some((unit) => unit.load === 'loaded');
  const runs = installed
    ? units.some((unit) => unit.name === 'vps-monitor.service' && unit.active === 'active')
    : undefined;
  const stateDir = options.stateDir === undefined && installed ? LAYOUT.state : config.stateDir;
  const kept = readState(context, stateDir);

  const lines: Line[] = Array.isArray(units) ? judgeUnits(units, now) : [units];
  lines.push(...judgeHealthAnswer(health, runs, VERSION));
  // doctor tries the stream itself; this is how the running monitor follows it.
  if (health && 'docker_events' in health && health.docker_events)
    lines.push(judgeEvents(health.docker_events));
  if ('why' in kept) lines.push(kept.why);
  else lines.push(judgeDelivery(kept.delivery, now));
  lines.push(...judgeLeftOff(() => lookAtLeftOff(stateDir), now));
  const incidents =
    'why' in kept ? undefined : kept.incidents.filter((incident) => incident.state === 'firing');

  if (options.json) {
    printJson(io, {
      version: 1,
      vpsmon: VERSION,
      hostname: hostName(system.files) ?? 'this server',
      at: isoTime(now),
      lines,
      units: Array.isArray(units) ? units.map(unitToJson) : [],
      open_incidents: incidents?.map(incidentToJson) ?? null,
      delivery: 'why' in kept ? null : deliveryToJson(kept.delivery),
    });
  } else {
    io.out(
      renderStatus({
        version: VERSION,
        server: serverName(config, system.files),
        now,
        lines,
        ...(incidents ? { incidents } : {}),
        ...io,
      }),
    );
  }
  return exitCodeOf(lines);
}

/** What systemd says about the units; a line where it cannot be asked. */
export async function unitsOf(
  context: Pick<CommandContext, 'system' | 'run'>,
  machine: Machine,
  now: number,
): Promise<UnitState[] | Line> {
  if (!machine.exists('/run/systemd/system'))
    return warning(
      'units',
      'this machine does not run systemd',
      'run `vpsmon monitor` under what starts services here',
    );
  try {
    return await readUnits(context.run, bootedAt(context.system.files, now) ?? now);
  } catch (error) {
    return warning('units', errorText(error), 'systemctl status vps-monitor');
  }
}

type Kept = { incidents: Incident[]; delivery: DeliveryState };

function readState({ config }: CommandContext, stateDir: string): Kept | { why: Line } {
  const look = openToLook(stateDir);
  if ('none' in look)
    return { why: warning('state', look.none, 'start the monitor: sudo vpsmon install, or vpsmon monitor') };
  if ('refused' in look) return { why: warning('state', look.refused, 'sudo vpsmon status') };
  try {
    return { incidents: openIncidents(look.db), delivery: deliveryState(look.db, config) };
  } catch (error) {
    return { why: warning('state', `the database cannot be read: ${errorText(error)}`, 'vpsmon doctor') };
  } finally {
    look.close();
  }
}

function unitToJson(unit: UnitState) {
  return {
    name: unit.name,
    load: unit.load,
    active: unit.active,
    enabled: unit.enabled,
    result: unit.result,
    exit_status: unit.exitStatus ?? null,
    restarts: unit.restarts ?? null,
    memory_bytes: unit.memoryBytes ?? null,
    active_since: isoTime(unit.activeSince),
    last_run: isoTime(unit.endedAt ?? unit.lastRunAt),
    next_run: isoTime(unit.nextRunAt),
  };
}

function incidentToJson({ id, rule, subject, severity, text, openedAt }: Incident) {
  return { id, rule, subject, severity, text, since: isoTime(openedAt) };
}

function deliveryToJson(state: DeliveryState) {
  return {
    configured: state.configured,
    refused: state.refused ?? null,
    failing: state.failing ?? null,
    waiting: state.waiting,
    oldest_waiting: isoTime(state.oldestWaitingAt),
    sent: state.sentTotal,
  };
}
