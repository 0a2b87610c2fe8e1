import { describe, expect, it } from 'vitest';
import { createWatcher } from '../../src/containers/watcher.ts';
import type { Finding } from '../../src/model/finding.ts';
import { findingsOf } from '../../src/model/fact-rules.ts';
import type { Message } from '../../src/model/message.ts';
import { describeFact } from '../../src/outputs/telegram/containers.ts';
import { reportMessage } from '../../src/outputs/telegram/monitor.ts';
import { openStore } from '../../src/store/open.ts';
import { saveServices } from '../../src/store/services.ts';
import { parseInspect, parseListItem } from '../../src/system/docker/parse.ts';
import { hostFiles } from '../../src/system/files.ts';
import type { Docker } from '../../src/system/types.ts';
import { configWith } from '../helpers/command.ts';

const BOOTED = Date.now() - 30_000;
type Box = { name: string; policy: string; up: boolean; startedAt: number };

/** What the monitor tells after a clean reboot; `later` come up only when they were asked for twice. */
async function afterReboot(
  boxes: Box[],
  later: string[] = [],
): Promise<{ messages: Message[]; findings: Finding[] }> {
  const store = openStore('/dev/null/nowhere', Date.now()); // In memory.
  const before = Date.now() - 110_000;
  const idOf = (name: string) => name.padEnd(64, '0');
  const rows = boxes.map(({ name }) => ({
    key: name,
    id: idOf(name),
    name,
    image: 'busybox',
    state: 'running',
    health: 'none',
    startedAt: before - 86_400_000,
    restartCount: 0,
    restarts: [],
  }));
  const value = { at: before, nano: '0', closed: true };
  saveServices(store.db, new Map(rows.map((row) => [row.key, row])), { key: 'services-seen', value }, before);
  let lists = 0;
  const isUp = ({ name, up }: Box) => up || (later.includes(name) && lists > 2);
  const docker = {
    list() {
      lists += 1;
      return Promise.resolve(
        boxes.map((box) =>
          parseListItem({
            Id: idOf(box.name),
            Names: [`/${box.name}`],
            State: isUp(box) ? 'running' : 'exited',
          }),
        ),
      );
    },
    inspect: (id: string) => {
      const box = boxes.find(({ name }) => idOf(name) === id)!;
      const iso = (at: number) => new Date(at).toISOString();
      return Promise.resolve(
        parseInspect({
          Id: id,
          Name: `/${box.name}`,
          State: isUp(box)
            ? { Status: 'running', StartedAt: iso(BOOTED + 5000), Pid: 5 }
            : {
                Status: 'exited',
                ExitCode: 137,
                StartedAt: iso(box.startedAt),
                FinishedAt: iso(before + 1000),
              },
          HostConfig: { RestartPolicy: { Name: box.policy } },
          Config: { Image: 'busybox' },
        }),
      );
    },
    events: ({ onOpen, signal, until: end }: Parameters<Docker['events']>[0]) =>
      new Promise<void>((resolve) => {
        if (end !== undefined) return resolve();
        onOpen?.();
        signal.addEventListener('abort', () => resolve());
      }),
    logs: () => Promise.resolve([]),
  } as unknown as Docker;
  const messages: Message[] = [];
  const findings: Finding[] = [];
  let skipped = 0;
  const quiet = () => undefined;
  const watcher = createWatcher({
    docker,
    bootedAt: BOOTED,
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    clock: {
      now: () => Date.now(),
      monotonic: () => performance.now() + skipped,
      sleep: async (ms, signal) => {
        // Waiting for the containers costs no time here; everything else waits until the end.
        if (ms === 1000) {
          skipped += 1000;
          return;
        }
        await new Promise((resolve) => signal?.addEventListener('abort', resolve, { once: true }));
      },
    },
    config: configWith({ REPORT_INTERVAL_HOURS: 0 }),
    db: store.db,
    files: hostFiles('/'),
    onFacts: (facts) => void findings.push(...facts.flatMap((fact) => findingsOf(fact, describeFact))),
    onOom: quiet,
    onReport: (report) => void messages.push(reportMessage(report, 'vps1')),
  });
  const stop = new AbortController();
  const running = watcher.run(stop.signal);
  await watcher.ready;
  stop.abort();
  await running;
  store.close();
  return { messages: messages.filter(({ kind }) => kind === 'start'), findings };
}

const box = (name: string, more: Partial<Box> = {}): Box => ({
  name,
  policy: 'always',
  up: true,
  startedAt: BOOTED - 86_400_000,
  ...more,
});

describe('U7: a clean reboot', () => {
  it('is one message: how long, and that all is back, also what takes a moment', async () => {
    const { messages } = await afterReboot([box('web'), box('db', { up: false }), box('n8n')], ['db']);
    expect(messages).toHaveLength(1);
    expect(messages[0]).toMatchObject({ severity: 'info' });
    expect(messages[0]!.html.split('\n')[0]).toMatch(
      /^🔄 <b>Server Rebooted<\/b> \(clean\), away 1 min 5\d s, all 3 services are back$/,
    );
    expect(messages[0]!.html).not.toMatch(/restarted|exit code|Not as before/);
  });

  it('tells what is not back by its restart policy, not by the exit code that the shutdown gave it', async () => {
    const { messages, findings } = await afterReboot([
      box('web'),
      box('job', { policy: 'no', up: false }),
      box('db', { policy: 'unless-stopped', up: false }),
    ]);
    expect(messages).toHaveLength(1);
    expect(messages[0]!.html).toContain('2 of 3 services are not well');
    expect(messages[0]!.html).toContain('🔴 <b>job</b> is not back (restart policy: no)');
    expect(messages[0]!.html).toContain('🔴 <b>db</b> is not back (restart policy: unless-stopped)');
    expect(JSON.stringify([messages, findings.map(({ text }) => text)])).not.toContain('exit code 137');
    const severity = (name: string) =>
      findings.find(({ subject, verdict }) => subject === name && verdict === 'breach')?.severity;
    expect([severity('job'), severity('db')]).toEqual(['warning', 'critical']);
  });

  it('hides no crash that came after it', async () => {
    const { messages } = await afterReboot([box('web'), box('db', { up: false, startedAt: BOOTED + 5000 })]);
    expect(messages[0]!.html).toMatch(/<b>db<\/b> stopped: exit code 137/);
  });
});
