// A container that leaks beside a busy one, on a whole machine with 1 GiB of memory and 1 GiB of swap, until recovery ends it, and the owner
// brings it back from the phone. How far it has got is set from outside (a file with the number of megabytes), so that nothing here depends on
// how fast the machine is; but for the end, when it goes on by itself.
//
// Hours are shortened by the clock, not by other code: the day and a half before was written by the daemon's own history with the times
// of then, and the half hours until the forecast pass because the machine's clock is set forward by one with each step of the leak.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHistory } from '../../src/store/history/history.ts';
import { openStore } from '../../src/store/open.ts';
import { containerInfo, emptySnapshot, hostValues } from '../helpers/snapshots.ts';
import {
  ADA,
  bootServer,
  checkedIn,
  confirmIn,
  downAll,
  HEALTH,
  installIn,
  keepSeen,
  messagesIn,
  propertyIn,
  awaitMessageIn,
  sentIn,
  shownIn,
  type VpsMachine,
} from '../helpers/vps-machine.ts';

const MB = 1_048_576;
const HOUR = 3_600_000;
/** What the leak is, in MB an hour, and how long it has gone on when the monitor starts. */
const PER_HOUR = 52;
const LEAKED_HOURS = 9;
const QUIET_HOURS = 30;
const GROUP = '/sys/fs/cgroup/vpsmon.slice';

let vps: VpsMachine;
beforeAll(async () => {
  vps = await bootServer();
  // The phone is not on the server: it is kept out of the pressure, and shares no program with the monitor.
  await vps.run(`mkdir -p /etc/systemd/system/standin.service.d && cp /usr/local/bin/node /opt/node
cat >/etc/systemd/system/phone.slice <<'EOF'
[Slice]
MemoryMin=96M
EOF
cat >/etc/systemd/system/standin.service.d/phone.conf <<EOF
[Service]
Slice=phone.slice
MemoryMin=96M
MemorySwapMax=0
OOMScoreAdjust=-1000
ExecStart=
$(grep ^ExecStart= /etc/systemd/system/standin.service | sed s,/usr/local/bin/node,/opt/node,)
EOF
systemctl daemon-reload && systemctl restart standin`);
  const settings = ['ENABLE_AUTO_RECOVERY=true', 'SERVICE_CHECK_INTERVAL=10', 'TELEGRAM_ACTIONS=true'];
  await Promise.all([installIn(vps, [...settings, `TELEGRAM_ALLOWED_USERS=${ADA.id}`].join('\n')), start()]);
  // Of recovery's timer it matters only that it runs: the run that is looked at is the one that the monitor starts.
  await vps.run(`systemctl stop vps-auto-recovery.timer vps-daily-report.timer vps-metrics-exporter.timer
mkdir -p /run/systemd/system/vps-auto-recovery.timer.d
printf '[Timer]\\nOnActiveSec=\\nOnUnitActiveSec=\\nOnActiveSec=1d\\n' >/run/systemd/system/vps-auto-recovery.timer.d/late.conf
systemctl daemon-reload`);
});
afterAll(async () => {
  await downAll();
});

/**
 * `tail` keeps the line that never ends: anonymous memory, as of a program that forgets to free. The busy one holds some, and works.
 * /opt/leak/grow lets the leak grow by STEP (MB) until CONDITION, or until it has grown by MOST; prints what memory is then.
 */
async function start(): Promise<void> {
  await vps.run(`mkdir -p /opt/leak && echo 0 >/opt/leak/wanted
docker run -d --network none --name leaky -v /opt/leak:/leak:ro busybox sh -c 'n=0
  while true; do
    read wanted </leak/wanted
    if [ $n -lt $wanted ]; then head -c 4194304 /dev/zero; n=$((n + 4)); else sleep 0.3; fi
  done | tail -n 1'
docker run -d --network none --name busy busybox sh -c '(head -c 33554432 /dev/zero; sleep 1000000) | tail -n 1 &
  while true; do n=0; while [ $n -lt 200 ]; do n=$((n + 1)); done; sleep 0.2; done'
cat >/opt/leak/grow <<'EOF'
#!/bin/bash
# grow STEP MOST CONDITION
look() {
  local name kb rest held swapped
  while read -r name kb rest; do
    case $name in
      MemTotal:) memory=$((kb / 1024)) ;; MemAvailable:) available=$((kb / 1024)) ;;
      SwapTotal:) total=$((kb / 1024)) ;; SwapFree:) swap=$((total - kb / 1024)) ;;
    esac
  done </proc/meminfo
  read -r held <$cgroup/memory.current; read -r swapped <$cgroup/memory.swap.current
  leak=$(((held + swapped) / 1048576))
}
cgroup=/sys/fs/cgroup/system.slice/docker-$(docker inspect -f '{{.Id}}' leaky).scope
read -r wanted </opt/leak/wanted
most=$((wanted + $2)); look
until (($3)) || ((wanted >= most)); do
  wanted=$((wanted + $1)); echo $wanted >/opt/leak/wanted
  # Where the machine stands still it may never get there: then what it has got to counts.
  for ((i = 0; i < 200; i++)); do look; ((leak >= wanted)) && break; sleep 0.3; done
done
echo "$(date +%s) $memory $available $swap $total $leak"
EOF
# on PAUSE: from here on by itself, 4 MB each PAUSE seconds; who shows how it was cannot ask a machine that stands still. Nor does it go on
# before Docker has answered: a machine that has become slower meanwhile has a leak that is slower by as much.
cat >/opt/leak/on <<'EOF'
#!/bin/bash
read -r wanted </opt/leak/wanted
while sleep "$1"; do
  curl -s -o /dev/null --unix-socket /run/docker.sock http://docker/containers/json
  wanted=$((wanted + 4)); echo $wanted >/opt/leak/wanted
done
EOF
chmod +x /opt/leak/grow /opt/leak/on`);
}

type Now = { at: number; memory: number; available: number; swap: number; total: number; leak: number };
/** MB; `at` is epoch seconds of the machine. */
async function grow(step: number, most: number, condition: string): Promise<Now> {
  return nowOf(await vps.run(`/opt/leak/grow ${step} ${most} '${condition}'`));
}
function nowOf(out: string): Now {
  const [at = 0, memory = 0, available = 0, swap = 0, total = 0, leak = 0] = out
    .trim()
    .split(' ')
    .map(Number);
  return { at, memory, available, swap, total, leak };
}

/** Seconds for each 4 MB of a leak that this machine can keep up with: recovery is a start of Node and what it reads then. */
async function pauseOf(): Promise<number> {
  const start = Number(await vps.run('TIMEFORMAT=%R; { time node -e 0; } 2>&1'));
  return Math.max(3.5, Math.min(15, 3 * start));
}

/** A state folder with the hours before: nothing for a day, then the leak, as the monitor would have kept them. */
function historyUntil(now: Now): string {
  const folder = mkdtempSync(join(tmpdir(), 'vpsmon-leak-'));
  const until = now.at * 1000;
  const store = openStore(folder, until);
  store.db.exec('PRAGMA synchronous = OFF');
  const history = createHistory(store.db);
  const minutes = (QUIET_HOURS + LEAKED_HOURS) * 60;
  for (let minute = 0; minute <= minutes; minute += 1) {
    const at = until - (minutes - minute) * 60_000;
    const notYet = Math.min(now.leak, (PER_HOUR * (until - at)) / HOUR);
    const availableBytes = (now.available + notYet) * MB;
    const held = (mb: number) => ({ memory: { workingSetBytes: mb * MB, anonBytes: mb * MB } });
    const value = hostValues({
      memory: { totalBytes: now.memory * MB, availableBytes, usedBytes: now.memory * MB - availableBytes },
      swap: { totalBytes: now.total * MB, usedBytes: now.swap * MB, zram: false },
      disks: [],
    });
    const containers = [containerInfo('leaky', held(now.leak - notYet)), containerInfo('busy', held(32))];
    history.add(
      emptySnapshot(at, {
        host: { state: 'ok', tookMs: 1, value },
        docker: { state: 'ok', tookMs: 1, value: { version: '', apiVersion: '', containers } },
      }),
    );
    if (minute % 15 === 0) history.flush(at, true);
  }
  history.flush(until, true);
  store.close();
  return folder;
}

const seen: string[] = [];
function keep(now: Now, message: string): void {
  const clock = new Date(now.at * 1000).toISOString().slice(11, 19);
  seen.push(
    `${clock}: available ${now.available} MB, swap ${now.swap} MB, leak ${now.leak} MB:\n\n${message}`,
  );
}
/** Seconds between a cause and the message about it. */
async function secondsUntil(message: string, cause: Now): Promise<number> {
  return (
    ((await sentIn(vps)).find(({ plain }) => plain.endsWith(message))?.at ?? Number.NaN) / 1000 - cause.at
  );
}
/** Lets it leak until this is so; then waits for the message. */
async function leaksUntil(condition: string, message: RegExp): Promise<void> {
  const from = (await messagesIn(vps)).length;
  const now = await grow(16, 1600, condition);
  const arrived = await awaitMessageIn(vps, message, from);
  keep(now, arrived);
  const seconds = await secondsUntil(arrived, now);
  console.log(
    `${condition}: ${JSON.stringify(now)}; the message came ${seconds.toFixed(0)} s later\n${arrived}`,
  );
}

/** Waits until a check that began after this time (epoch ms of the machine) has ended and all that it had to say is sent. */
async function checkedSince(at: number): Promise<void> {
  await vps.until(
    HEALTH,
    (text) =>
      Date.parse(/"last_check":\{"at":"([^"]+)"/.exec(text)?.[1] ?? '') >= at &&
      /"alerts_waiting":0\b/.test(text),
  );
}

function numberIn(text: string, pattern: RegExp): number {
  return Number(pattern.exec(text)?.[1]);
}

const running = async () => (await vps.run("docker ps --format '{{.Names}}'")).trim().split('\n').toSorted();

describe('a container that leaks', () => {
  it('U1: is announced a day before, with its name and the hour, while there is plenty of memory', async () => {
    // The monitor runs meanwhile: what it takes itself belongs to the hours before, and is no growth of the last one.
    await checkedIn(vps);
    let now = await grow(32, PER_HOUR * LEAKED_HOURS, '0');
    const atFirst = now;
    const folder = historyUntil(now);
    try {
      await vps.run('systemctl stop vps-monitor && rm -f /var/lib/vpsmon/vpsmon.db*');
      await vps.put(join(folder, 'vpsmon.db'), '/var/lib/vpsmon/vpsmon.db');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    await vps.run('systemctl start vps-monitor');
    await checkedIn(vps);
    // U4: with what it was stopped, its program text has become a stranger's. The kernel keeps what is its own.
    await vps.until(
      `cat /proc/$(systemctl show -p MainPID --value vps-monitor)/status ${GROUP}/vps-monitor.service/memory.stat`,
      (text) => numberIn(text, /^file_mapped (\d+)/m) > 0.5 * 1024 * numberIn(text, /^RssFile:\s+(\d+) kB/m),
    );
    const announced = /the host runs out of memory in about (\d+) h/;
    let message: string | undefined;
    for (let half = 0; half < 8 && message === undefined; half += 1) {
      now = await grow(8, PER_HOUR / 2, '0');
      await checkedSince(Number(await vps.run('date -s "30 minutes" >/dev/null && date +%s%3N')));
      message = (await messagesIn(vps)).find((text) => announced.test(text));
    }
    message ??= await awaitMessageIn(vps, announced);
    keep(now, message);
    console.log(`${JSON.stringify(atFirst)}\n${JSON.stringify(now)}\n${message}`);
    await shownIn(vps, /^WARNING: leaky grows \d+ MB\/h/, announced);
    expect(now.available).toBeGreaterThan(100);
    // Of what is left, the leak takes so much an hour.
    const hours = (now.available + now.total - now.swap) / PER_HOUR;
    expect(Math.abs(Number(announced.exec(message)?.[1]) - hours)).toBeLessThan(0.25 * hours);
  });

  it('U1, U3, U5: is told at the first threshold with its name, swap counted, and with what helps', async () => {
    await leaksUntil('available < 95', /WARNING: Available memory is/);
    await shownIn(
      vps,
      /WARNING: Available memory is/,
      /Largest containers: leaky [\d.]+ [MG]B/,
      /What helps: `?docker restart leaky`? frees about [\d.]+ [MG]B; it /,
    );
  });

  it('U1: again when half of swap is used', async () => {
    const half = /Swap use is [\d.]+ MB, above 512 MB/;
    await leaksUntil('swap > total * 52 / 100', half);
    await shownIn(
      vps,
      half,
      /Largest containers: leaky [\d.]+ [MG]B \+ [\d.]+ MB swap/,
      /What helps: `?docker restart leaky`?/,
    );
  });

  it('U1: is told at 80 % with the minutes before, and recovery, ahead of its timer, stops it and nothing else', async () => {
    const count = (await messagesIn(vps)).length;
    const pause = await pauseOf();
    // Three minutes before it gets there.
    await grow(16, 1600, `swap > total * 80 / 100 - ${Math.round(720 / pause)}`);
    await vps.run('systemctl start vps-auto-recovery.timer');
    await vps.run(`systemd-run --quiet --unit=leak-on --slice=phone.slice /opt/leak/on ${pause.toFixed(1)}`);
    const most = await awaitMessageIn(vps, /CRITICAL.*Swap use is/, count, 900_000);
    const journal = () =>
      vps.run(
        'journalctl -o short-iso -u vps-monitor -u vps-auto-recovery -g "Recovery|Done|Result|Why"; free -m',
      );
    const done = await awaitMessageIn(vps, /^Recovery.*\n\nDone: stop/, count, 1_500_000).catch(
      async (error: unknown) => {
        throw new Error(`recovery did not end it\n${await journal()}`, { cause: error });
      },
    );
    await vps.run('systemctl stop vps-auto-recovery.timer leak-on');
    const log = await journal();
    seen.push(most, `${log}\n${done}`);
    console.log(`${most}\n${log}\n${done}`);
    expect(most).toMatch(/Before: leaky .* swap.* were available/);
    expect(most).toMatch(/In the .* before leaky grew by/);
    expect(done).toMatch(/Done: stop leaky, the container that has grown most and is not essential/);
    // What a run of recovery sees first is a matter of seconds: that memory runs out, or that it is read back already.
    expect(done).toMatch(
      /Why: (?:[\d.]+ MB of memory and [\d.]+ MB of swap are left|the server reads [\d,]+ KB\/s back from swap)/,
    );
    expect(await running()).toEqual(['busy']);
    // That Docker is silent for a while is true on a slow machine; that anything was killed would be too late.
    expect((await messagesIn(vps)).filter((text) => /the kernel killed/.test(text))).toEqual([]);
  }, 3_600_000);

  it('U1: the owner brings it back from the phone', async () => {
    await vps.run('echo 0 >/opt/leak/wanted');
    await confirmIn(vps, /leaky/, [/^Undo$/, /^Yes, undo/], /leaky runs again/);
    expect(await running()).toEqual(['busy', 'leaky']);
  });

  it('U4: all the while the monitor was not replaced, and its memory was its own', async () => {
    const restarts = await propertyIn(vps, 'NRestarts');
    expect(restarts, await vps.run('journalctl -b -o short-iso -u vps-monitor')).toBe('0');
    expect(await propertyIn(vps, 'Slice')).toBe('vpsmon.slice');
    const own = await vps.run(
      `cat ${GROUP}/memory.min ${GROUP}/vps-monitor.service/memory.min ${GROUP}/vps-monitor.service/memory.swap.current`,
    );
    expect(own.trim().split('\n').map(Number)).toEqual([112 * MB, 48 * MB, 0]);
    expect((await messagesIn(vps)).filter((text) => /hung|was replaced/.test(text))).toEqual([]);
    keepSeen('leak.txt', seen.join('\n\n---\n\n'));
  });
});
