import { describe, expect, test } from 'vitest';
import { createOomLedger } from '../../src/collectors/oom-ledger.ts';
import type { Hearing, SeenKills } from '../../src/collectors/oom-ledger.ts';
import type { OomKill } from '../../src/model/snapshot.ts';
import { dockerEvent } from '../helpers/recorded-host.ts';

const WEB = 'a'.repeat(64);
const DB = 'b'.repeat(64);
const T0 = 1_767_000_000_000;
const FRESH: SeenKills = { bootId: 'boot', explained: 0, told: [] };

function kernelKill(seq: number, at: number, containerId?: string): OomKill & { seq: number } {
  return {
    id: `boot:${seq}`,
    seq,
    at,
    process: 'node',
    pid: 100 + seq,
    rssBytes: 1,
    cgroup: '/x',
    scope: containerId ? 'container' : 'host',
    ...(containerId ? { containerId } : {}),
  };
}

/** A ledger that is heard every 30 s unless told otherwise. */
function tell(before: SeenKills | undefined, bootId = 'boot') {
  let seconds = 0;
  const ledger = createOomLedger(bootId, before);
  return {
    ledger,
    hear(hearing: Partial<Hearing>, after = 30) {
      seconds += after;
      ledger.hear({
        now: T0 + seconds * 1000,
        monotonic: seconds * 1000,
        counter: 0,
        kernel: [],
        logReadable: true,
        ...hearing,
      });
      return ledger.all().map(({ id }) => id);
    },
    docker(id: string, atSeconds: number, nano = 0n) {
      ledger.onDocker(
        dockerEvent({ id, timeNano: BigInt(T0 + atSeconds * 1000) * 1_000_000n + nano }),
        seconds * 1000,
      );
    },
  };
}

describe('with a kernel log that can be read', () => {
  test('a kill has the id of its record, and Docker only confirms it', () => {
    const { hear, docker } = tell(FRESH);
    hear({});
    docker(WEB, 31);
    expect(hear({ counter: 1, kernel: [kernelKill(7, T0 + 31_000, WEB)] })).toEqual(['boot:7']);
    // Docker says it again, late.
    docker(WEB, 31);
    docker(WEB, 31, 5n);
    expect(hear({ counter: 1 })).toEqual(['boot:7']);
    expect(hear({ counter: 1 })).toEqual(['boot:7']);
  });

  test('a record that comes after the counter is not told as unknown before', () => {
    const { hear } = tell(FRESH);
    expect(hear({ counter: 1 })).toEqual([]);
    expect(hear({ counter: 1, kernel: [kernelKill(7, T0 + 30_000)] }, 1)).toEqual(['boot:7']);
    expect(hear({ counter: 1 })).toEqual(['boot:7']);
    expect(hear({ counter: 1 })).toEqual(['boot:7']);
  });

  test('a record that comes before the counter does not hide the next kill', () => {
    const { hear } = tell({ ...FRESH, lastSeq: 3 });
    expect(hear({ counter: 0, kernel: [kernelKill(7, T0)] })).toEqual(['boot:7']);
    hear({ counter: 1 });
    hear({ counter: 2 });
    expect(hear({ counter: 2 })).toEqual(['boot:7', 'boot:counter:2']);
  });

  test('kills whose records were lost are told once each, with the container where Docker knows it', () => {
    const { hear, docker } = tell(FRESH);
    hear({});
    docker(WEB, 31);
    expect(hear({ counter: 2 }, 1)).toEqual([]);
    const told = hear({ counter: 2 });
    expect(told).toEqual([`docker:${WEB}:${BigInt(T0 + 31_000) * 1_000_000n}`, 'boot:counter:2']);
    expect(hear({ counter: 2 })).toEqual(told);
  });

  test('memory of a container that was tight without a kill is no kill', () => {
    const { hear, docker } = tell(FRESH);
    docker(WEB, 1);
    for (let i = 0; i < 10; i += 1) expect(hear({})).toEqual([]);
  });
});

describe('without the kernel log', () => {
  const deaf = { logReadable: false };

  test('Docker says where, at once', () => {
    const { hear, docker, ledger } = tell(FRESH);
    hear(deaf);
    docker(WEB, 30);
    expect(hear({ ...deaf, counter: 1 }, 0)).toHaveLength(1);
    expect(ledger.all()[0]).toMatchObject({ containerId: WEB, containerName: 'web', process: 'unknown' });
    expect(hear({ ...deaf, counter: 1 })).toHaveLength(1);
  });

  test('two words of Docker about one kill are one kill', () => {
    const { hear, docker } = tell(FRESH);
    hear(deaf);
    docker(WEB, 30);
    docker(WEB, 30, 400n);
    expect(hear({ ...deaf, counter: 1 })).toHaveLength(1);
    expect(hear({ ...deaf, counter: 1 })).toHaveLength(1);
  });

  test('a second word about an old kill is not taken for a new one elsewhere', () => {
    const { hear, docker } = tell(FRESH);
    hear(deaf);
    docker(WEB, 30);
    docker(WEB, 30, 400n);
    const [first] = hear({ ...deaf, counter: 1 });
    hear({ ...deaf, counter: 1 });
    hear({ ...deaf, counter: 2 });
    expect(hear({ ...deaf, counter: 2 }, 3)).toEqual([first, 'boot:counter:2']);
  });

  test('what only the counter knows is told after a moment, and keeps its id when Docker says where', () => {
    const { hear, docker, ledger } = tell(FRESH);
    hear(deaf);
    expect(hear({ ...deaf, counter: 1 })).toEqual([]);
    expect(hear({ ...deaf, counter: 1 })).toEqual(['boot:counter:1']);
    docker(DB, 75);
    expect(hear({ ...deaf, counter: 1 })).toEqual(['boot:counter:1']);
    expect(ledger.all()[0]).toMatchObject({ containerId: DB, scope: 'container' });
  });

  test('on a kernel without the counter every word of Docker is a kill, twins aside', () => {
    const { hear, docker } = tell(FRESH);
    docker(WEB, 30);
    docker(WEB, 30, 400n);
    docker(DB, 30);
    expect(hear({ ...deaf, counter: undefined })).toHaveLength(2);
  });
});

describe('over a restart', () => {
  test('a kill that Docker told keeps its id when the kernel log can be read later', () => {
    const first = tell(FRESH);
    first.hear({ logReadable: false });
    first.docker(WEB, 30);
    const told = first.hear({ logReadable: false, counter: 1 });
    const seen = JSON.parse(JSON.stringify(first.ledger.seen())) as SeenKills;
    const second = tell(seen);
    const kernel = [kernelKill(7, T0 + 33_000, WEB)];
    expect(second.hear({ counter: 1, kernel })).toEqual(told);
    expect(second.ledger.all()[0]).toMatchObject({ process: 'node', pid: 107, containerName: 'web' });
    const third = tell(JSON.parse(JSON.stringify(second.ledger.seen())) as SeenKills);
    expect(third.hear({ counter: 1, kernel: [kernelKill(7, T0 + 900_000, WEB)] })).toEqual(told);
  });

  test('records that were read before are not counted again, so that a lost one is missed', () => {
    const first = tell(FRESH);
    const old = kernelKill(7, T0);
    first.hear({ counter: 1, kernel: [old] });
    const second = tell(first.ledger.seen());
    second.hear({ counter: 2, kernel: [old] });
    expect(second.hear({ counter: 2, kernel: [] })).toEqual(['boot:7', 'boot:counter:2']);
  });

  test('the very first start takes the counter as it is', () => {
    const { hear } = tell(undefined);
    expect(hear({ counter: 41 })).toEqual([]);
    expect(hear({ counter: 41 })).toEqual([]);
    expect(hear({ counter: 41 })).toEqual([]);
  });

  test('at the very first start the log is history, and the next lost kill is still missed', () => {
    const { hear, ledger } = tell(undefined);
    expect(hear({ counter: 3, kernel: [kernelKill(1, T0), kernelKill(2, T0)] })).toHaveLength(2);
    expect(ledger.seen()).toMatchObject({ explained: 3, lastSeq: 2 });
    hear({ counter: 4 });
    expect(hear({ counter: 4 }).at(-1)).toBe('boot:counter:4');
  });

  test('after a reboot, kills from before the start of the monitor are news', () => {
    const { hear } = tell({ bootId: 'old boot', explained: 5, lastSeq: 900, told: [] });
    hear({ counter: 2, kernel: [kernelKill(7, T0)] });
    expect(hear({ counter: 2 })).toEqual(['boot:7', 'boot:counter:2']);
  });
});

test('stays small however many kills there are', () => {
  const { hear, ledger } = tell(FRESH);
  const kernel = Array.from({ length: 5000 }, (_, seq) => kernelKill(seq, T0 + seq));
  expect(hear({ counter: 5000, kernel })).toHaveLength(200);
  expect(ledger.all().at(-1)?.id).toBe('boot:4999');
});
