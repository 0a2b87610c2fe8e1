// Thrashing on a whole machine: 1 GiB of memory, 1 GiB of swap, and a container that wants more than there is.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  bootVps,
  CHAT,
  importBusybox,
  messagesIn,
  putVpsmon,
  startTelegramIn,
  TOKEN,
  type VpsMachine,
} from '../helpers/vps-machine.ts';

type Run = {
  results: { rule: string; found: string; attempts: { done: string; text: string }[] }[];
  said: { severity: string; text: string; details: string[] }[];
};

let vps: VpsMachine;
beforeAll(async () => {
  vps = await bootVps();
  await Promise.all([putVpsmon(vps), startTelegramIn(vps), importBusybox(vps)]);
  await vps.run(`mkdir -p /opt/vpsmon /opt/flag && tar -C /opt/vpsmon -xzf /opt/vpsmon.tgz
cat >/opt/monitor.conf <<'EOF'
TELEGRAM_API_ROOT=http://127.0.0.1:8081
TELEGRAM_BOT_TOKEN=${TOKEN}
TELEGRAM_CHAT_ID=${CHAT}
ENABLE_AUTO_RECOVERY=true
EOF
printf 'recovery:\\n  calm_minutes: 1\\n' >/opt/vpsmon.yaml
chmod 600 /opt/monitor.conf
run() { docker run -d --network none --tmpfs /t:size=1g -v /opt/flag:/flag:ro "$@"; }
hold() { echo "dd if=/dev/zero of=/t/x bs=1M count=$1 2>/dev/null; exec sleep 1000000"; }
run --name postgres busybox sh -c "$(hold 60)"
run --name small busybox sh -c "$(hold 20)"
run --name middle busybox sh -c "$(hold 40)"
# While the flag is there it reads more than fits into memory, over and over; without it, it gives everything back.
run --name greedy busybox sh -c 'while true; do
  if [ -f /flag/on ]; then [ -f /t/x ] || dd if=/dev/zero of=/t/x bs=1M count=900 2>/dev/null; cat /t/x >/dev/null
  else rm -f /t/x; sleep 1; fi; done'`);
});
afterAll(async () => {
  await vps?.down();
});

async function recover(...args: string[]): Promise<Run> {
  const { stdout, stderr } = await vps.try(
    `cd /opt/vpsmon && node bin/vpsmon.js recover ${args.join(' ')} --json --config /opt/monitor.conf --state-dir /var/lib/vpsmon`,
  );
  if (!stdout.startsWith('{')) throw new Error(`${stdout}\n${stderr}`);
  return JSON.parse(stdout) as Run;
}
const running = async () => (await vps.run("docker ps --format '{{.Names}}'")).trim().split('\n').toSorted();
/** KB/s that are read back from swap, over three seconds. */
const SWAP_IN = `a=$(awk '/^pswpin/{print $2}' /proc/vmstat); sleep 3; b=$(awk '/^pswpin/{print $2}' /proc/vmstat); echo $(( (b-a)*4/3 ))`;
async function thrash(): Promise<void> {
  await vps.run('touch /opt/flag/on');
  let inARow = 0;
  await vps.until(SWAP_IN, (text) => (inARow = Number(text) > 8000 ? inARow + 1 : 0) >= 3, 240_000);
}
const calm = () => vps.until(SWAP_IN, (text) => Number(text) < 100, 240_000);

describe('a container that makes the machine thrash', () => {
  it('is only spoken about in a dry run', async () => {
    await thrash();
    const run = await recover('swap', '--dry-run');
    expect(run.said.map(({ text }) => text)).toEqual([
      expect.stringMatching(
        /^Would stop greedy, the largest container that is not essential \(\d+ MB\) \(dry run\)$/,
      ),
    ]);
    expect(await running()).toEqual(['greedy', 'middle', 'postgres', 'small']);
  });

  it('is stopped, and nothing else is; it is told on Telegram', async () => {
    const run = await recover('swap');
    expect(run.results[0]?.found).toMatch(/^swap-in [\d,]+ KB\/s, above 5,000$/);
    expect(run.results[0]?.attempts).toMatchObject([{ done: 'worked' }]);
    expect(await running()).toEqual(['middle', 'postgres', 'small']);
    const [message] = await messagesIn(vps);
    expect(message).toMatch(
      /^Recovery, WARNING on vps\n\nDone: stop greedy, .*\nResult: greedy is stopped, .*\nWhy: the server reads [\d,]+ KB\/s back from swap, more than 5,000\nUndo: it is started again when memory has been calm for 1 minutes/,
    );
    await calm();
    expect((await recover('swap')).said).toEqual([]);
    expect(await running()).toEqual(['middle', 'postgres', 'small']);
  });

  it('is started again when memory has been calm for long enough', async () => {
    await vps.run('rm /opt/flag/on');
    let said: Run['said'] = [];
    // Under emulation the machine itself may need a while to be calm.
    for (let i = 0; i < 20 && said.length === 0; i += 1) {
      await new Promise((resolve) => setTimeout(resolve, 20_000));
      ({ said } = await recover('swap'));
    }
    expect(said).toMatchObject([{ text: 'Done: start greedy again' }]);
    expect(await running()).toEqual(['greedy', 'middle', 'postgres', 'small']);
  });

  it('is started by hand with undo', async () => {
    await thrash();
    expect((await recover('run-all')).results[0]?.attempts).toMatchObject([{ done: 'worked' }]);
    expect(await running()).toEqual(['middle', 'postgres', 'small']);
    await vps.run('rm /opt/flag/on');
    const undone = await recover('undo');
    expect(undone.results.find(({ rule }) => rule === 'swap')).toMatchObject({
      attempts: [{ done: 'worked' }],
    });
    expect(await running()).toEqual(['greedy', 'middle', 'postgres', 'small']);
  });

  it('is the last one that could be stopped: then a person is asked for, and essential ones go on', async () => {
    await vps.run('docker rm -f middle small');
    await vps.run(`sed -i '$a ESSENTIAL_CONTAINERS=postgres,greedy' /opt/monitor.conf`);
    await thrash();
    const run = await recover('swap');
    expect(run.said).toMatchObject([{ severity: 'critical' }]);
    expect(run.said[0]?.text).toMatch(/there is no container left that may be stopped. A person is needed$/);
    expect(await running()).toEqual(['greedy', 'postgres']);
    await vps.run('rm /opt/flag/on');
  });
});
