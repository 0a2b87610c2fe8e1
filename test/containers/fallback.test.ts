import { describe, expect, it } from 'vitest';
import { createWatcher } from '../../src/containers/watcher.ts';
import type { Finding } from '../../src/model/finding.ts';
import { findingsOf } from '../../src/model/fact-rules.ts';
import type { Message } from '../../src/model/message.ts';
import { describeFact } from '../../src/outputs/telegram/containers.ts';
import { reportMessage } from '../../src/outputs/telegram/monitor.ts';
import { openStore } from '../../src/store/open.ts';
import { hostFiles } from '../../src/system/files.ts';
import { MOVED } from '../../src/system/docker/events.ts';
import type { Clock, Docker, DockerEvent } from '../../src/system/types.ts';
import { configWith } from '../helpers/command.ts';
import { until } from '../helpers/daemon.ts';
import { fakeDocker } from '../helpers/fake-docker.ts';
import { skippingClock } from '../helpers/skipping-clock.ts';

/** An event that nobody can read, as a mistake in the wording would make it. */
function unreadable(action: string, name: string): DockerEvent {
  return {
    timeNano: BigInt(Date.now()) * 1_000_000n,
    action,
    id: name.repeat(12).slice(0, 12),
    name,
    get attributes(): Record<string, string> {
      throw new Error('a mistake');
    },
  };
}

const realClock: Clock = skippingClock(false);

/** A watcher of this Docker, with nothing kept on a disk. */
function open(docker: Docker, findings: Finding[] = [], messages: Message[] = [], clock: Clock = realClock) {
  const errors: string[] = [];
  const log = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (text: string) => void errors.push(text),
  };
  const moved: string[] = [];
  const store = openStore('/dev/null/nowhere', Date.now()); // In memory.
  const watcher = createWatcher({
    docker,
    log,
    clock,
    config: configWith({ REPORT_INTERVAL_HOURS: 0 }),
    db: store.db,
    files: hostFiles('/'),
    onFacts: (facts) => void findings.push(...facts.flatMap((fact) => findingsOf(fact, describeFact))),
    onOom: () => undefined,
    onMoved: ({ action }) => void moved.push(action),
    onReport: (report) => void messages.push(reportMessage(report, 'vps1')),
  });
  return { watcher, store, errors, moved };
}

describe('R3: a change that cannot be worded', () => {
  it('is told in plain words, and what comes after it is followed', async () => {
    const findings: Finding[] = [];
    const messages: Message[] = [];
    let emit: (event: DockerEvent) => void = () => undefined;
    const docker = {
      list: () => Promise.resolve([]),
      events: ({ onOpen, onEvent, signal, until: end }: Parameters<Docker['events']>[0]) =>
        new Promise<void>((resolve) => {
          if (end !== undefined) return resolve();
          onOpen?.();
          emit = onEvent;
          signal.addEventListener('abort', () => resolve());
        }),
    } as unknown as Docker;
    const { watcher, store, errors, moved } = open(docker, findings, messages);
    const stop = new AbortController();
    const running = watcher.run(stop.signal);
    await watcher.ready;
    emit(unreadable('die', 'web'));
    emit(unreadable('health_status: unhealthy', 'db'));
    emit(unreadable('start', 'quiet'));
    emit({ timeNano: 1n, action: MOVED, id: 'quiet', name: '', attributes: {} });
    const plainly = await until(() => {
      const some = findings.filter(({ text }) => text.includes('could not be put into words'));
      return some.length >= 2 && some;
    });
    expect(plainly.map(({ subject, severity, verdict }) => [subject, severity, verdict])).toEqual([
      ['web', 'critical', 'event'],
      ['db', 'critical', 'event'],
    ]);
    expect(errors.join()).toContain('a mistake');
    // H5: and the discovery learns of every start and end, for an address may be another one's from then on.
    expect(moved).toEqual(['die', 'start', MOVED]);
    expect(watcher.connected()).toBe(true);
    stop.abort();
    await running;
    expect(messages.at(-1)?.html).toContain('Service Monitor Stopped');
    store.close();
  });
});

describe('S4: events that are held back', () => {
  it('are no complaint any more when they come after all, while the list is still on its way', async () => {
    let [calls, lists] = [0, 0];
    const slow: (() => void)[] = [];
    const docker = {
      list: () => {
        lists += 1;
        return new Promise((resolve) => slow.push(() => resolve([])));
      },
      events: ({ onOpen, signal, until: end }: Parameters<Docker['events']>[0]) =>
        new Promise<void>((resolve, reject) => {
          calls += 1;
          if (calls === 1) return reject(new Error('no answer within 5 s'));
          if (end !== undefined) return resolve();
          onOpen?.();
          signal.addEventListener('abort', () => resolve());
        }),
    } as unknown as Docker;
    const { watcher, store } = open(docker);
    const stop = new AbortController();
    const running = watcher.run(stop.signal);
    await until(() => calls > 1 && lists > 1);
    for (const answer of slow) answer();
    await watcher.ready;
    expect(watcher.connected()).toBe(true);
    expect(watcher.eventFailure()).toBeUndefined();
    stop.abort();
    await running;
    store.close();
  });

  it.each(['held back behind an open stream', 'forbidden'])(
    '%s: what happened is found all the same',
    async (how) => {
      const fake = fakeDocker();
      const web = fake.add('web');
      const clock = skippingClock(true);
      const findings: Finding[] = [];
      const docker: Docker = {
        ...fake.docker,
        list: async () => [
          {
            id: web.id,
            name: 'web',
            image: 'x',
            labels: {},
            state: web.status,
            status: web.status === 'running' ? 'Up 2 hours' : 'Exited (3) 1 second ago',
            created: 0,
            networks: {},
            ports: [],
          },
        ],
        events: (options) => {
          if (how === 'forbidden')
            return Promise.reject(Object.assign(new Error('403 Forbidden'), { status: 403 }));
          if (options.until !== undefined) return fake.docker.events(options);
          options.onOpen?.();
          return new Promise((resolve) => options.signal.addEventListener('abort', () => resolve()));
        },
      };
      const { watcher, store } = open(docker, findings, [], clock);
      const stop = new AbortController();
      const running = watcher.run(stop.signal);
      await watcher.ready;
      expect(watcher.connected()).toBe(true);
      expect(watcher.eventFailure()).toBe(how === 'forbidden' ? '403 Forbidden' : undefined);
      Object.assign(web, { status: 'exited', exitCode: 3 });
      const event = { action: 'die', id: web.id, name: 'web', attributes: { exitCode: '3' } };
      fake.events.push({ ...event, timeNano: BigInt(clock.now()) * 1_000_000n });
      await until(() => {
        clock.skip(1000);
        return findings.some(({ rule, subject }) => rule === 'container-stopped' && subject === 'web');
      });
      stop.abort();
      await running;
      store.close();
    },
  );
});
