// Thrashing on a whole machine: 1 GiB of memory, 1 GiB of swap, and a container that wants more than there is. vpsmon is
// installed and its monitor runs all the while; only the timer of recovery stands still, so that each test has its own run.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  bootServer,
  downAll,
  installIn,
  messagesIn,
  propertyIn,
  awaitMessageIn,
  type VpsMachine,
} from '../helpers/vps-machine.ts';

type Run = {
  results: { rule: string; found: string; attempts: { done: string; text: string }[] }[];
  said: { severity: string; text: string; details: string[] }[];
};
type Done = { action: string; target: string; state: string; undone_at: string | null };

const ALL = ['greedy', 'middle', 'postgres', 'small'];
const OTHERS = ['middle', 'postgres', 'small'];
/** The greedy one goes round among this many files of 5 MiB; a prime, so that any step visits them all. */
const MORE_THAN_ALL_MEMORY = 241;
const MORE_THAN_ITS_LIMIT = 47;

/** It has grown fast when it is stopped for the first time, and is as large as ever later on. */
const WHY_GREEDY =
  'the (?:largest container that|container that has grown most and) is not essential \\([\\d.]+ [MG]B(?:, [\\d.]+ [MG]B of it since [^)]+)?\\)';

let vps: VpsMachine;
beforeAll(async () => {
  vps = await bootServer();
  await vps.run(`mkdir -p /opt/flag && cat >/opt/thrash <<'EOF'\n${THRASH}\nEOF`);
  await Promise.all([
    install(),
    startHolding('postgres', 60),
    startHolding('small', 20),
    startHolding('middle', 40),
  ]);
  await startGreedy(MORE_THAN_ALL_MEMORY);
});
afterAll(async () => {
  await downAll();
});

/**
 * The greedy container rests after each file (see below), so the pressure is 9 to 16 of 100 here, which the defaults take for no
 * harm: the limit is set below that.
 */
async function install(): Promise<void> {
  await vps.run(`mkdir -p /etc/vpsmon && printf 'recovery:\\n  calm_minutes: 1\\n' >/etc/vpsmon/vpsmon.yaml`);
  await installIn(vps, 'ENABLE_AUTO_RECOVERY=true\nMEMORY_PRESSURE_WARNING=4\nMEMORY_PRESSURE_CLEAR=2');
  await vps.run('systemctl stop vps-auto-recovery.timer');
}

const CONTAINER = 'docker run -d --network none --tmpfs /t:size=2g -v /opt/flag:/flag:ro';
const startHolding = (name: string, mib: number) =>
  vps.run(`${CONTAINER} --name ${name} busybox sh -c 'dd if=/dev/zero of=/t/x bs=1M count=${mib}; exec sleep 1000000'
    until docker exec ${name} ls -l /t/x | grep -q ${mib * 1_048_576}; do sleep 0.5; done`);
/**
 * While the flag is there, it reads its files over and over, each round in another order so that the rate is even; without the
 * flag it gives everything back. It rests after each file for as long as the flag says, or an emulated machine would have no time left for
 * anything else.
 */
const startGreedy = (files: number, limits = '') =>
  vps.run(`echo ${files} >/opt/flag/files
    ${CONTAINER} --name greedy ${limits} busybox sh -c 'trap exit TERM; n=0; step=1
    while true; do
      if [ -f /flag/on ]; then
        n=$(( (n + step) % ${files} )); [ $n -gt 0 ] || step=$(( step % ${files - 1} + 1 ))
        if [ -f /t/$n ]; then read rest </flag/on; cat /t/$n >/dev/null; sleep $rest; else dd if=/dev/zero of=/t/$n bs=1M count=5 2>/dev/null; fi
      else rm -f /t/*; sleep 1; fi
    done'`);
/** KB/s that are read back from swap, over three seconds: by the machine's clock, for a busy machine sleeps longer. */
const RATE = `pages() { awk '/^pswpin/{print $2}' /proc/vmstat; }
  now() { read -r up _ </proc/uptime; echo \${up/./}; }
  rate() { local from=$(pages) at=$(now); sleep 3; echo $(( ($(pages) - from) * 400 / ($(now) - at) )); }`;
/**
 * thrash [HARDER]: until the rate was high three times in a row. A machine that is slow reads less in the same time: there the greedy one rests
 * less, once it has all its files. HARDER: recovery saw too little, and the rate is not far above what it has to be.
 */
const THRASH = `${RATE}
  harder() { awk '{ print ($1 > 0.04 ? $1 * 0.6 : 0.02) }' /opt/flag/on >/opt/flag/new; mv /opt/flag/new /opt/flag/on; }
  [ -f /opt/flag/on ] || echo 0.1 >/opt/flag/on
  [ "$1" != HARDER ] || (($(rate) > 10000)) || harder
  files=/proc/$(docker inspect -f '{{.State.Pid}}' greedy)/root/t
  high=0 low=0
  for ((i = 0; i < 400 && high < 3; i++)); do
    if (($(rate) > 6500)); then high=$((high + 1)); continue; fi
    high=0 low=$((low + 1))
    if ((low % 3 == 0 && $(ls $files | wc -l) == $(cat /opt/flag/files))); then harder; fi
  done
  ((high == 3)) || { echo "$(rate) KB/s, rests $(cat /opt/flag/on) s, $(ls $files | wc -l) files"; exit 1; }`;

/** A run by hand. */
async function recover(...args: string[]): Promise<Run> {
  const { stdout, stderr } = await vps.try(`vpsmon recover ${args.join(' ')} --json`);
  if (!stdout.startsWith('{')) throw new Error(`${stdout}\n${stderr}`);
  return JSON.parse(stdout) as Run;
}
/** A run in the sandbox of its unit, as the timer starts it; returns what it printed. */
async function recoverByUnit(): Promise<string> {
  await vps.run('systemctl start vps-auto-recovery.service');
  // What it printed may still be on its way into the journal.
  return vps.run(
    'journalctl --sync; journalctl -o cat _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID vps-auto-recovery.service)',
  );
}
/** What recovery did, the oldest first. */
async function history(): Promise<Done[]> {
  const { actions } = JSON.parse(await vps.run('vpsmon recover history --json')) as { actions: Done[] };
  return actions.toReversed();
}
const running = async () => (await vps.run("docker ps --format '{{.Names}}'")).trim().split('\n').toSorted();
/** What a container holds in memory and in swap. */
const memoryOf = async (name: string) =>
  Number(
    await vps.run(
      `cd /sys/fs/cgroup/system.slice/docker-$(docker inspect -f '{{.Id}}' ${name}).scope
        echo $(( $(cat memory.current) + $(cat memory.swap.current) ))`,
    ),
  );
const thrash = (how = '') => vps.run(`bash /opt/thrash ${how}`);
/** Looks while the machine thrashes, again where the rate of an emulated machine fell just then. */
async function whileThrashing<T>(look: () => Promise<T>, saw: (result: T) => boolean): Promise<T> {
  for (let i = 0; ; i += 1) {
    await thrash(i === 0 ? '' : 'HARDER');
    const result = await look();
    if (saw(result) || i === 11) return result;
  }
}
const calm = () => vps.until(`${RATE}; rate`, (text) => Number(text) < 100);

describe('a container that makes the machine thrash', () => {
  it('is only spoken about in a dry run', async () => {
    const { said, results } = await whileThrashing(
      () => recover('swap', '--dry-run'),
      (run) => run.said.length > 0,
    );
    expect(said.map(({ text }) => text)).toEqual([
      expect.stringMatching(new RegExp(`^Would stop greedy, ${WHY_GREEDY} \\(dry run\\)$`)),
    ]);
    expect(results[0]?.attempts).toMatchObject([{ done: 'shadow' }]);
    expect(await running()).toEqual(ALL);
    expect(await history()).toEqual([]);
  });

  it('is stopped, and nothing else is; it is told on Telegram', async () => {
    const count = (await messagesIn(vps)).length;
    const run = await whileThrashing(
      () => recover('swap'),
      ({ results }) => results[0]?.attempts.some(({ done }) => done !== 'obsolete') === true,
    );
    expect(run.results[0]?.found).toMatch(/^swap-in [\d,]+ KB\/s, above 5,000$/);
    expect(run.results[0]?.attempts).toMatchObject([{ done: 'worked' }]);
    expect(await running()).toEqual(OTHERS);
    expect(await awaitMessageIn(vps, /^Recovery[^]*stop greedy/, count)).toMatch(
      new RegExp(
        `^Recovery, WARNING on vps\n\nDone: stop greedy, ${WHY_GREEDY}\nResult: greedy is stopped, which frees about [\\d.]+ [MG]B\nWhy: the server reads [\\d,]+ KB/s back from swap, more than 5,000(?:; postgres has grown more .* may not be stopped)?\nUndo: it is started again when memory has been calm for a minute; \`vpsmon recover undo\` does so now\nTime: `,
      ),
    );
    expect(await history()).toMatchObject([
      { action: 'stop-container', target: 'greedy', state: 'worked', undone_at: null },
    ]);
  });

  it('is started again when memory has been calm for long enough, and nothing is stopped until then', async () => {
    await calm();
    const from = Date.now();
    let run = await recover('swap');
    expect(run.said).toEqual([]);
    expect(await running()).toEqual(OTHERS);
    await vps.run('rm /opt/flag/on');
    // Under emulation the machine itself may need a while to be calm, or not be so any more at the look before the start.
    const waits = () => run.results[0]?.attempts.every(({ done }) => done === 'obsolete');
    for (let i = 0; i < 60 && waits(); i += 1) {
      await new Promise((resolve) => setTimeout(resolve, 15_000));
      run = await recover('swap');
    }
    expect(Date.now() - from).toBeGreaterThan(60_000);
    expect(run.said).toMatchObject([{ text: 'Done: start greedy again' }]);
    expect(run.said[0]?.details).toContainEqual(
      expect.stringMatching(/^Why: memory has been calm for [1-9]\d* min/),
    );
    expect(await running()).toEqual(ALL);
    expect(await history()).toMatchObject([
      { action: 'stop-container', state: 'undone', undone_at: expect.any(String) },
      { action: 'start-container', target: 'greedy', state: 'worked' },
    ]);
  });
});

describe('the run that the timer starts', () => {
  it('stops the largest that is not essential, although an essential one is larger', async () => {
    await vps.run(`docker rm -f greedy
      docker exec postgres dd if=/dev/zero of=/t/y bs=1M count=240`);
    // It alone is short of memory, as with a limit that is too low: what it reads from swap is still the machine's.
    await startGreedy(MORE_THAN_ITS_LIMIT, '--memory 120m --memory-swap 400m');
    await thrash();
    expect(await memoryOf('postgres')).toBeGreaterThan(await memoryOf('greedy'));
    const count = (await messagesIn(vps)).length;
    const done = new RegExp(`Done: stop greedy, ${WHY_GREEDY}`);
    expect(await whileThrashing(recoverByUnit, (text) => done.test(text))).toMatch(done);
    expect(await propertyIn(vps, 'Result', 'vps-auto-recovery.service')).toBe('success');
    expect(await running()).toEqual(OTHERS);
    await awaitMessageIn(vps, /^Recovery, WARNING on vps\n\nDone: stop greedy/, count);
    const state = await vps.run("docker inspect -f '{{.State.Status}} {{.State.OOMKilled}}' greedy");
    expect(state.trim()).toBe('exited false');
  });

  it('is undone by hand, once', async () => {
    const { results } = await recover('undo');
    expect(results.find(({ rule }) => rule === 'swap')).toMatchObject({
      found: '1 stopped by recovery; recovery does nothing of the kind again for 1 h',
      attempts: [{ done: 'worked' }],
    });
    expect(await running()).toEqual(ALL);
    expect((await history()).slice(-2)).toMatchObject([
      { action: 'stop-container', target: 'greedy', state: 'undone', undone_at: expect.any(String) },
      { action: 'start-container', target: 'greedy', state: 'worked' },
    ]);
    expect((await recover('undo')).results.find(({ rule }) => rule === 'swap')?.attempts).toEqual([]);
  });

  it('asks for a person where only essential ones are left, once, and stops none', async () => {
    await vps.run(`sed -i '$a ESSENTIAL_CONTAINERS=postgres,greedy,middle,small' /etc/vpsmon/monitor.conf`);
    await thrash();
    const [count, done] = [(await messagesIn(vps)).length, await history()];
    const helpless =
      /The server thrashes \(swap-in [\d,]+ KB\/s, above 5,000\), and there is no container left that may be stopped(?:; greedy has grown more [^,]+, and may not be stopped)?\. A person is needed/;
    const isHelpless = (text: string) => helpless.test(text);
    expect(await whileThrashing(recoverByUnit, isHelpless)).toMatch(helpless);
    await awaitMessageIn(vps, helpless, count);
    expect(await whileThrashing(recoverByUnit, isHelpless)).toMatch(helpless);
    expect((await messagesIn(vps)).filter((text) => helpless.test(text))).toHaveLength(1);
    expect(await running()).toEqual(ALL);
    expect(await history()).toEqual(done);
  });
});
