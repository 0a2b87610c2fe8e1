// The resync under the live stream: every half minute Docker's events once more, every five minutes the whole list. And where
// neither is answered while the stream is open: Docker hangs.
import { errorText } from '../model/text.ts';
import type { Clock, Docker, DockerError, DockerEvent, Log } from '../system/types.ts';
import { backFrom, replay } from './event-stream.ts';
import type { Ask, Input, State } from './types.ts';

const REPLAY_EVERY_MS = 30_000;
/** In replays. */
const LIST_EVERY = 10;
const AGAIN_MS = 10_000;
const HANGS_AFTER = 3;

export type ResyncDeps = {
  docker: Docker;
  clock: Clock;
  log: Log;
  state: State;
  signal: AbortSignal;
  /** Events that have not come before. */
  onEvent(event: DockerEvent): void;
  give(input: Input): void;
  ask(ask: Ask): void;
  isLoaded(): boolean;
  /** After each list. */
  save(): void;
};

export function createResync(deps: ResyncDeps): {
  run(): Promise<void>;
  replay(): Promise<void>;
  onList(error?: unknown): void;
} {
  const { docker, clock, log, state, signal } = deps;
  let failures = 0;
  // Nothing from before the start: the first look has seen what came of it.
  const start = nano(clock);
  let since = start;

  function worked(): void {
    if (failures >= HANGS_AFTER) deps.give({ type: 'stream', up: true });
    failures = 0;
  }

  function failed(error: unknown): void {
    // An engine that is gone is noticed by the end of the stream.
    // An engine that hangs gives no answer at all, not even a refusal.
    if ((error as DockerError).status !== undefined) return;
    if (signal.aborted || (!state.engine.up && failures === 0)) return;
    failures += 1;
    log.debug(`Docker does not answer: ${errorText(error)}`);
    if (failures >= HANGS_AFTER) deps.give({ type: 'stream', up: false, why: errorText(error) });
  }

  async function replayNow(): Promise<void> {
    const until = nano(clock);
    try {
      const events = await replay(docker, since, until);
      since = backFrom(until, start);
      worked();
      for (const event of events) deps.onEvent(event);
    } catch (error) {
      failed(error);
    }
  }

  return {
    replay: replayNow,
    onList(error) {
      if (error === undefined) worked();
      else failed(error);
    },
    async run() {
      for (let round = 1; !signal.aborted; round += 1) {
        await clock.sleep(failures > 0 ? AGAIN_MS : REPLAY_EVERY_MS, signal);
        if (signal.aborted || !deps.isLoaded() || (!state.engine.up && failures === 0)) continue;
        if (round % LIST_EVERY === 0) {
          deps.ask({ kind: 'list' });
          deps.save();
        } else await replayNow();
      }
    },
  };
}

function nano(clock: Clock): bigint {
  return BigInt(clock.now()) * 1_000_000n;
}
