import { join } from 'node:path';
import type { Snapshot } from '../model/sources.ts';
import { errorText } from '../model/text.ts';
import type { Files, System } from '../system/types.ts';

/** A program that was not free yet may be later: who installed the monitor runs the same Node for a while. */
const AGAIN_MS = 30_000;
/** Where the server's other programs share this Node all the time, it stays theirs. */
const MOST_TRIES = 10;
/** Reading the program back takes a moment: not while memory is short, which is what it is done for. */
const CALM = { score: 10, availableShare: 0.1 };

/**
 * Sees to it that the monitor's program text counts for its own cgroup, so that MemoryMin keeps it in memory while the server thrashes. It
 * counts for whoever read it first: after an installation for the shell that the installation ran in. Returns what is to be called after
 * each check. Does nothing without cgroup v2, or where nothing is protected.
 */
export function createOwnPages(
  { files, clock, log }: Pick<System, 'files' | 'clock' | 'log'>,
  pageOut = async (pid: number) => (await import('../system/own-command.ts')).pageOut(pid),
): (snapshot: Snapshot) => void {
  let triesLeft = MOST_TRIES;
  let notBefore = 0;

  return (snapshot) => {
    if (triesLeft === 0 || clock.monotonic() < notBefore) return;
    const share = ownShareOf(files);
    if (share === undefined || share >= 0.5) triesLeft = 0;
    else if (isCalm(snapshot)) {
      triesLeft -= 1;
      notBefore = clock.monotonic() + AGAIN_MS;
      pageOut(process.pid)
        .then((refused) => {
          if (refused === undefined) return;
          triesLeft = 0;
          log.info(`The program's text stays counted for the group that read it first: ${refused}`);
        })
        .catch((error: unknown) => log.warn(`Program text: ${errorText(error)}`));
    }
  };
}

/** How much of the files that this process has in memory counts for its own cgroup, 0 to 1; undefined where nothing is protected. */
function ownShareOf(files: Files): number | undefined {
  const group = /^0::(\/.+)$/m.exec(files.textOr('/proc/self/cgroup') ?? '')?.[1];
  const mapped = numberIn(files.textOr('/proc/self/status'), /^RssFile:\s+(\d+) kB/m);
  if (group === undefined || mapped === undefined) return undefined;
  const at = (name: string) => files.textOr(join('/sys/fs/cgroup', group, name));
  if (Number(at('memory.min') ?? 0) === 0) return undefined;
  const own = numberIn(at('memory.stat'), /^file_mapped (\d+)/m);
  return own === undefined ? undefined : own / 1024 / mapped;
}

function numberIn(text: string | undefined, pattern: RegExp): number | undefined {
  const number = pattern.exec(text ?? '')?.[1];
  return number === undefined ? undefined : Number(number);
}

function isCalm({ readings: { host, pressure } }: Snapshot): boolean {
  if (host.state !== 'ok') return false;
  const { availableBytes, totalBytes } = host.value.memory;
  const score = pressure.state === 'ok' ? pressure.value.score : 0;
  return score < CALM.score && availableBytes > CALM.availableShare * totalBytes;
}
