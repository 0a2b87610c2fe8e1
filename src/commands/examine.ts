import * as v from 'valibot';
import { readMemory } from '../collectors/proc.ts';
import { createDiscovery } from '../discovery/discover.ts';
import { judgeClock, judgeMachine } from '../doctor/machine.ts';
import { judgeConfig } from '../doctor/config.ts';
import { judgeDelivery } from '../doctor/delivery.ts';
import { examineDocker } from '../doctor/docker.ts';
import { askHealth, judgeHealthAnswer } from '../doctor/health.ts';
import {
  judgeCgroups,
  judgeDisk,
  judgeKernelLog,
  judgeMemory,
  judgeNode,
  judgePressure,
} from '../doctor/host.ts';
import { judgeLeftOff } from '../doctor/left-off.ts';
import { judgeSources } from '../doctor/sources.ts';
import { judgeDatabase, judgeStateFolder, judgeTextfile, judgeWriter } from '../doctor/state.ts';
import { askTime, examineTelegram } from '../doctor/telegram.ts';
import { failed, ok, type Line } from '../doctor/types.ts';
import { judgeUnits } from '../doctor/units.ts';
import { errorText, plain } from '../model/text.ts';
import type { DockerValues } from '../model/snapshot.ts';
import { deliveryState } from '../notify/state.ts';
import { destinationsOf } from '../notify/targets.ts';
import { lookAtLeftOff } from '../store/left-off.ts';
import { whyEssential } from '../discovery/essential.ts';
import { recall } from '../store/memory.ts';
import type { Db } from '../store/db.ts';
import { EpochMs } from '../model/shapes.ts';
import { integrityProblems, openToLook } from '../store/look.ts';
import { describeMachine } from '../system/describe-machine.ts';
import { modifiedAt, packageRoot, tryWriting, type Machine } from '../system/machine.ts';
import { openDocker } from '../system/docker/docker.ts';
import { laterWriter } from '../store/written-by.ts';
import { guestOf } from '../system/guest.ts';
import type { Docker, System } from '../system/types.ts';
import { VERSION } from '../version.ts';
import type { CommandContext } from './context.ts';
import { checkOnce } from './monitor-once.ts';
import { unitsOf } from './status.ts';
import { movedChats, telegramOf } from './telegram.ts';

/** Each is a call to Docker. */
const MOST_INSPECTED = 60;
/** A machine that thrashes lets Docker answer after many seconds. */
const PATIENT_MS = 15_000;

/** Everything that `doctor` looks at, one line each. */
export async function examine(context: CommandContext, machine: Machine): Promise<Line[]> {
  const { config, system } = context;
  const { settings, stateDir } = config;
  const look = openToLook(stateDir);
  const db = 'db' in look ? look.db : undefined;
  try {
    // Side by side: each has a deadline of its own, and none holds another one up.
    const [telegram, remote, units, health, docker, sources, kind] = await Promise.all([
      examineTelegram(telegramOf(context, movedChats(context), { timeoutMs: 8000 }), {
        token: settings.TELEGRAM_BOT_TOKEN,
        tokenFile: settings.TELEGRAM_BOT_TOKEN_FILE,
        destinations: destinationsOf(config),
        reads: settings.TELEGRAM_COMMANDS,
      }),
      askTime(system.http, settings.TELEGRAM_API_ROOT, () => system.clock.now()),
      unitsOf(context, machine, system.clock.now()),
      askHealth(system.http, { listen: settings.HTTP_LISTEN, stateDir }),
      askDocker(system.docker, settings.DOCKER_HOST, dockerIsInstalled(machine)),
      examineSources(context),
      examineKind(system),
    ]);
    const now = system.clock.now();
    const unit = (name: string) =>
      Array.isArray(units) ? units.find((one) => one.name === name) : undefined;
    const monitor = unit('vps-monitor.service');
    const textfile = `${stateDir}/metrics/vpsmon.prom`;
    const present = modifiedAt(stateDir) !== undefined;
    return [
      ...judgeConfig(config),
      ...telegram,
      ...docker,
      ...sources,
      ...kind,
      ...examineHost(system),
      judgeClock({
        now,
        builtAt: modifiedAt(`${packageRoot()}/package.json`),
        remote,
        lastSeenAt: db
          ? quietly(() => recall(db, 'last-alive', v.looseObject({ at: EpochMs }))?.at)
          : undefined,
      }),
      ...(await examineDisk(context)),
      judgeStateFolder(stateDir, present ? tryWriting(stateDir) : undefined, present),
      ...(db ? [judgeDatabase(soundness(db), `${stateDir}/vpsmon.db`)] : []),
      ...(db ? (quietly(() => judgeWriter(laterWriter(db, VERSION), stateDir)) ?? []) : []),
      ...('refused' in look ? [failed('database', look.refused, adviceForDatabase(look.refused))] : []),
      ...judgeLeftOff(() => lookAtLeftOff(stateDir), now),
      ...(db ? (quietly(() => delivery(db, context, now)) ?? []) : []),
      ...(Array.isArray(units) ? judgeUnits(units, now) : [units]),
      ...judgeHealthAnswer(
        health,
        monitor && monitor.load === 'loaded' ? monitor.active === 'active' : undefined,
        VERSION,
      ),
      ...(unit('vps-metrics-exporter.timer')?.active === 'active'
        ? [judgeTextfile(textfile, modifiedAt(textfile), now)]
        : []),
    ];
  } finally {
    if ('close' in look) look.close();
    system.docker.close();
    system.kernelLog.close();
  }
}

export function examineHost(system: System): Line[] {
  const guest = guestOf(system.files);
  let unreadable: unknown;
  try {
    system.kernelLog.read();
  } catch (error) {
    unreadable = error;
  }
  return [
    judgeNode(process.versions.node, process.execPath),
    ...judgeMemory(
      system.files,
      quietly(() => readMemory(system.files, guest)),
    ),
    judgePressure(system.files),
    judgeKernelLog(unreadable, guest),
    judgeCgroups(system.files),
  ];
}

export async function examineUnits(
  context: Pick<CommandContext, 'system' | 'run'>,
  machine: Machine,
): Promise<Line[]> {
  const now = context.system.clock.now();
  const units = await unitsOf(context, machine, now);
  return Array.isArray(units) ? judgeUnits(units, now) : [units];
}

/** Nice to know when somebody sends this page along with a question; no fault where it cannot be found out. */
async function examineKind({ files, root }: Pick<System, 'files' | 'root'>): Promise<Line[]> {
  const late = new Promise<undefined>((resolve) => {
    setTimeout(() => resolve(undefined), 8000).unref();
  });
  const kind = await Promise.race([describeMachine().catch(() => undefined), late]);
  return judgeMachine(files, kind, root);
}

/** As the monitor asks them, so that what it will see is what is shown. */
async function examineSources(context: CommandContext): Promise<Line[]> {
  const { system, config } = context;
  const discovery = createDiscovery({ ...system, config });
  try {
    const [found, { readings }] = await Promise.all([
      discovery.current(AbortSignal.timeout(6000)),
      checkOnce(context, false),
    ]);
    return [
      ...judgeSources(found, readings, config.settings.ENABLE_AUTO_RECOVERY, system.clock.now()),
      ...(readings.docker.state === 'ok' ? await examineEssential(context, readings.docker.value) : []),
    ];
  } catch (error) {
    return [failed('databases', errorText(error), 'vpsmon monitor --once shows more')];
  }
}

/** Who is never stopped by recovery, and why: what ESSENTIAL_CONTAINERS means is not to be found out in the night. */
async function examineEssential({ system, config }: CommandContext, docker: DockerValues): Promise<Line[]> {
  const essential: string[] = [];
  const others: string[] = [];
  for (const container of docker.containers.slice(0, MOST_INSPECTED)) {
    // Without its aliases its name and image decide, as far as they go.
    const inspect = await system.docker.inspect(container.id).catch(() => undefined);
    const why = whyEssential(container, config, inspect);
    const name = plain(container.name, 60);
    if (why === undefined) others.push(name);
    else essential.push(`${name} (${why})`);
  }
  if (essential.length + others.length === 0) return [];
  const may = others.length > 0 ? `; may be stopped: ${others.join(', ')}` : '';
  const unseen = docker.containers.length - MOST_INSPECTED;
  const more = unseen > 0 ? ` (and ${unseen} more containers)` : '';
  return [ok('essential', `never stopped: ${essential.join(', ') || 'none'}${may}${more}`)];
}

async function examineDisk({ config, system }: CommandContext): Promise<Line[]> {
  // The folder may not be there yet: then the disk that it will be on.
  for (const path of [config.stateDir, '/var/lib', '/']) {
    try {
      const s = await system.files.statfs(path);
      return [
        judgeDisk({
          path,
          freeBytes: s.available * s.blockSize,
          totalBytes: s.blocks * s.blockSize,
          inodesFree: s.inodesFree,
          inodesTotal: s.inodes,
        }),
      ];
    } catch {
      continue;
    }
  }
  return [];
}

/** Without a token there is a line about that already. */
function delivery(db: Db, { config }: CommandContext, now: number): Line[] {
  const state = deliveryState(db, config);
  return state.configured ? [judgeDelivery(state, now)] : [];
}

function soundness(db: Db): string[] {
  try {
    return integrityProblems(db);
  } catch (error) {
    return [errorText(error)];
  }
}

function adviceForDatabase(refused: string): string {
  if (/may not be read/.test(refused)) return 'sudo vpsmon doctor';
  return 'systemctl restart vps-monitor: it is set aside and a new one begun';
}

/** A database of an older version may lack what is asked for; the monitor brings it up to date when it starts. */
function quietly<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Twice where the first answer is late. */
export async function askDocker(docker: Docker, dockerHost: string, installed: boolean): Promise<Line[]> {
  const patient = openDocker(dockerHost, { deadlineMs: PATIENT_MS });
  try {
    return await examineDocker(docker, dockerHost !== '' || installed, patient);
  } finally {
    patient.close();
  }
}

export function dockerIsInstalled(machine: Machine): boolean {
  return ['/usr/bin/dockerd', '/usr/local/bin/dockerd', '/var/lib/docker'].some((path) =>
    machine.exists(path),
  );
}
