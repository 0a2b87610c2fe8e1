// A machine out of test/fixtures/hosts/<story>: its files below `root`, those that changed later below `later`, and in
// story.json what cannot be recorded as a file.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CollectorDeps } from '../../src/collectors/types.ts';
import type { ContainerInfo } from '../../src/model/snapshot.ts';
import { hostFiles } from '../../src/system/files.ts';
import { openKernelLog } from '../../src/system/kernel-log.ts';
import type { Clock, Docker, DockerEvent, Files } from '../../src/system/types.ts';

export type Story = {
  about: string;
  /** Epoch ms of the first reading. */
  now: number;
  laterSeconds: number;
  /** Answers of statfs by mount: numbers, `hang`, or `error CODE`. */
  statfs: Record<string, Awaited<ReturnType<Files['statfs']>> | string>;
  containers: ContainerInfo[];
  /** Answers of Docker's stats API by container id. */
  stats?: Record<string, NonNullable<Awaited<ReturnType<Docker['stats']>>>>;
};

function readStory(dir: string): Story {
  return JSON.parse(readFileSync(join(dir, 'story.json'), 'utf8')) as Story;
}

/** A clock that stands until it is moved; sleeping takes no time. */
export function standingClock(now: number): Clock & { move(ms: number): void; jump(ms: number): void } {
  let time = now;
  let monotonic = 1_000;
  return {
    now: () => time,
    monotonic: () => monotonic,
    sleep: async () => {},
    move(ms) {
      time += ms;
      monotonic += ms;
    },
    jump(ms) {
      time += ms;
    },
  };
}

/** Everything that collectors of the host are handed, out of a recorded tree. */
export function recordedDeps(dir: string, memory = new Map<string, unknown>()) {
  const story = readStory(dir);
  const clock = standingClock(story.now);
  const root = hostFiles(join(dir, 'root'));
  const later = hostFiles(join(dir, 'later'));
  let isLater = false;
  const files: Files = {
    ...root,
    text: (path, max) => (isLater && later.exists(path) ? later : root).text(path, max),
    textOr: (path, max) => (isLater && later.exists(path) ? later : root).textOr(path, max),
    async statfs(path) {
      const answer = story.statfs[path] ?? 'error ENOENT';
      if (answer === 'hang') return new Promise(() => {});
      if (typeof answer === 'string') throw Object.assign(new Error(answer), { code: answer.slice(6) });
      return answer;
    },
  };
  const deps = {
    system: {
      clock,
      files,
      kernelLog: openKernelLog(join(dir, 'root/dev/kmsg')),
      docker: {
        version: async () => ({ version: '28.0.0', apiVersion: '1.48', minApiVersion: '1.24' }),
        stats: async (id: string) => story.stats?.[id],
      },
    },
    config: { settings: { DOCKER_HOST: '' }, extra: { sqlMetrics: [] } },
    discovered: async () => ({ missing: {} }),
    rediscover: () => {},
    containers: async () => structuredClone(story.containers),
    recall: (key: string) => structuredClone(memory.get(key)),
    remember: (key: string, value: unknown) => void memory.set(key, structuredClone(value)),
  } as unknown as CollectorDeps;
  return {
    story,
    deps,
    clock,
    memory,
    hasLater: existsSync(join(dir, 'later')),
    /** The second reading sees the later files. */
    passTime() {
      isLater = true;
      clock.move(story.laterSeconds * 1000);
    },
  };
}

export function dockerEvent(event: Partial<DockerEvent> & { id: string; timeNano: bigint }): DockerEvent {
  return { action: 'oom', name: 'web', attributes: {}, ...event };
}
