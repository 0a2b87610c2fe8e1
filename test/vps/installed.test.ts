// vpsmon on a whole machine, from the first install to the last trace of it. The tests share one machine and go in order.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ADA,
  bootServer,
  CHAT,
  checkedIn,
  downAll,
  hasAll,
  HEALTH,
  keepSeen,
  messagesIn,
  propertyIn,
  awaitMessageIn,
  TOKEN,
  type VpsMachine,
} from '../helpers/vps-machine.ts';

let vps: VpsMachine;
let before: string[];

beforeAll(async () => {
  vps = await bootServer();
  await vps.run(`docker run -d --name web --stop-signal KILL --restart unless-stopped --network none busybox sleep 1000000
                 docker run -d --name shop --stop-signal KILL --network none busybox sleep 1000000`);
  before = await listing();
});
afterAll(async () => {
  await downAll();
});

const UNITS = ['vps-monitor', 'vps-auto-recovery', 'vps-daily-report', 'vps-metrics-exporter'];
const STARTED = ['vps-monitor.service', ...UNITS.slice(1).map((name) => `${name}.timer`)];

/**
 * Every path of the machine with kind, mode and owner, and the content of what install could touch. Left out: what changes
 * by itself (logs, databases, Docker, npm's cache) and private folders of services, which are named after the boot.
 */
async function listing(): Promise<string[]> {
  const out = await vps.run(
    `find / -xdev \\( -path /var/log -o -path /var/lib/docker -o -path /var/lib/containerd -o -path /var/lib/postgresql \\
       -o -path /var/lib/redis -o -path /root/.npm -o -path /opt -o -path /usr/local/lib/node_modules -o -path /usr/share -o -path /usr/lib/modules -o -path /var/lib/systemd/random-seed -o -name 'systemd-private-*' \\
       -o -path /var/lib/private -o -path /etc/.updated -o -path /var/.updated -o -path /var/lib/dbus \\) -prune -o -printf '%y %m %u %p %l\\n'
     find /etc /usr/local/bin /usr/local/lib -xdev -path /usr/local/lib/node_modules -prune -o -type f -not -name '*.updated' -exec sha256sum {} +`,
  );
  return out.split('\n').filter(Boolean).toSorted();
}
function differences(now: string[]): string[] {
  const [old, fresh] = [new Set(before), new Set(now)];
  return [
    ...before.filter((line) => !fresh.has(line)).map((line) => `- ${line}`),
    ...now.filter((line) => !old.has(line)).map((line) => `+ ${line}`),
  ];
}
/** A fresh checkout, as `npm ci` leaves it. */
const unpack = () => vps.run('mkdir -p /root/checkout && tar -C /root/checkout -xzf /opt/vpsmon.tgz');
const property = (name: string, unit?: string) => propertyIn(vps, name, unit);
const active = () => vps.until('systemctl is-active vps-monitor', (text) => text.trim() === 'active');
const checked = () => checkedIn(vps);
const awaitMessage = (text: RegExp, from?: number) => awaitMessageIn(vps, text, from);
/** How these units are: active or not, enabled or not. */
async function unitStates(): Promise<string[]> {
  const out = await vps.run(
    `for unit in ${STARTED.join(' ')}; do echo $unit $(systemctl show -P ActiveState $unit) $(systemctl show -P UnitFileState $unit); done`,
  );
  return out.trim().split('\n');
}
/**
 * Those of these messages that have this text: not the reminder of a disk that has been too full for an hour, which is due on a slow machine,
 * and not where a recorder says what was waited for, disk or memory.
 */
const newsOf = (messages: string[], text: RegExp) =>
  messages.filter((one) => !one.startsWith('Still ') && text.test(one.replace(/^Waiting for .*$/m, '')));
/** Writes these settings and has the monitor read them. */
async function set(settings: Record<string, string | number | boolean>): Promise<void> {
  const edits = Object.entries(settings).map(([key, value]) => `-e 's|^${key}=.*|${key}=${value}|'`);
  await vps.run(`sed -i ${edits.join(' ')} /etc/vpsmon/monitor.conf; systemctl reload vps-monitor`);
}
/** The open incidents about the disk, by their numbers. */
const openDisk = async () => diskOf(await vps.run('vpsmon incidents --json'));
function diskOf(json: string): number[] {
  const { incidents } = JSON.parse(json) as { incidents: { id: number; rule: string; state: string }[] };
  return incidents.filter(({ rule, state }) => rule === 'disk' && state === 'open').map(({ id }) => id);
}
/** A disk is too full when somebody says so: an incident that stays. */
async function fillDisk(): Promise<void> {
  await set({ DISK_WARNING_PCT: 10 });
  await vps.until('vpsmon incidents --json', (json) => diskOf(json).length === 1);
}

/** Has `install` killed at once when it has printed so many lines, by its own hand: whoever reads along may be late. Returns these. */
async function killInstallAfter(lines: number): Promise<string[]> {
  await vps.run(`cat >/root/kill.cjs <<'EOF'
let left = ${lines};
const { write } = process.stdout;
process.stdout.write = (...args) => {
  write.apply(process.stdout, args);
  if (--left === 0) process.kill(process.pid, 'SIGKILL');
};
EOF`);
  const { stdout } = await vps.try(
    'cd /root/checkout && node -r /root/kill.cjs bin/vpsmon.js install >/root/printed; cat /root/printed; rm /root/printed /root/kill.cjs',
  );
  return stdout.split('\n').filter(Boolean);
}
/** Runs the command until it prints all of this and ends with the code. Under emulation a question may be answered too late, once. */
const shows = (command: string, code: number, ...wanted: (string | RegExp)[]) =>
  vps.until(`${command}; echo "exit code $?"`, hasAll(`exit code ${code}`, ...wanted));
/** Has the services of timers work once, all at the same time. One that is too slow for its own deadline works the next time. */
const startAll = (...units: string[]) =>
  vps.until(`systemctl start ${units.join(' ')} && echo started`, hasAll('started'));
/** Waits until systemd runs another process for the monitor. */
const replaced = (pid: string) =>
  vps.until('systemctl show -P MainPID vps-monitor', (text) => !['', '0', pid].includes(text.trim()));

describe('install', () => {
  it('lists with --dry-run what it will do, and does nothing', async () => {
    await unpack();
    const out = await vps.run('cd /root/checkout && node bin/vpsmon.js install --dry-run');
    expect(out).toContain('write          /etc/vpsmon/monitor.conf  0600');
    expect(out).toContain('run            systemctl daemon-reload');
    for (const unit of STARTED) expect(out).toContain(`/etc/systemd/system/${unit}`);
    await vps.run('mv /root/checkout /opt/checkout');
    expect(differences(await listing())).toEqual([]);
    await vps.run('mv /opt/checkout /root/checkout');
  });

  it('interrupted by a power switch or a kill in the middle, is finished by the next one', async () => {
    // After the line that says that the seventh step was done.
    expect(await killInstallAfter(7)).toHaveLength(7);
    expect((await vps.try('systemctl is-active vps-monitor')).stdout.trim()).not.toBe('active');
  });

  it('installs with npx: units enabled and running, timers as promised, a configuration that only root reads', async () => {
    const out = await vps.run('cd /root/checkout && npx vpsmon install');
    expect(out).toContain('vpsmon is installed, enabled and running.');
    expect(await unitStates()).toEqual(STARTED.map((unit) => `${unit} active enabled`));
    expect(await property('TimersMonotonic', 'vps-auto-recovery.timer')).toContain('OnUnitActiveUSec=5min');
    expect(await property('TimersMonotonic', 'vps-metrics-exporter.timer')).toContain(
      'OnUnitActiveUSec=1min',
    );
    expect(await property('TimersCalendar', 'vps-daily-report.timer')).toContain('*-*-* 08:00:00');
    expect(await property('Persistent', 'vps-daily-report.timer')).toBe('yes');
    expect(
      (await vps.run('stat -c "%a %U" /etc/vpsmon/monitor.conf /var/lib/vpsmon')).trim().split('\n'),
    ).toEqual(['600 root', '711 root']);
  });

  it('goes from there to the first alert on the phone as the README says', async () => {
    await vps.run(`curl -s -X POST http://127.0.0.1:8081/standin/update -d '{"message_id":1,"date":1,"chat":{"id":${CHAT},"type":"supergroup","title":"Ops"},"from":${JSON.stringify(ADA)},"text":"hello"}'
      sed -i -e 's|^TELEGRAM_BOT_TOKEN=.*|TELEGRAM_BOT_TOKEN=${TOKEN}|' -e 's|^TELEGRAM_API_ROOT=.*|TELEGRAM_API_ROOT=http://127.0.0.1:8081|' /etc/vpsmon/monitor.conf`);
    const chats = await vps.run('vpsmon telegram chats');
    expect(chats).toContain(CHAT);
    await vps.run(`sed -i 's|^TELEGRAM_CHAT_ID=.*|TELEGRAM_CHAT_ID=${CHAT}|' /etc/vpsmon/monitor.conf`);
    await vps.run('vpsmon telegram test');
    expect((await messagesIn(vps)).filter((text) => /Test message from vpsmon/.test(text))).toHaveLength(1);
    await vps.run('systemctl restart vps-monitor');
    await checked();
    // A Docker that is slow is "no answer yet" in this message, and there is no other one when it answers and nothing has changed.
    await awaitMessage(/Service Monitor Started/);
    await vps.until(HEALTH, hasAll('"docker_connected":true', '"services_monitored":2'));
    await vps.run(`docker run -d --name crash-test --network none busybox sleep 600
      sleep 3; kill -9 $(docker inspect -f '{{.State.Pid}}' crash-test)`);
    await awaitMessage(/Service Stopped[\s\S]*crash-test/);
    await vps.run('docker rm crash-test');
  });

  it('changes nothing when it is run again', async () => {
    await checked();
    // What is at work writes into the state folder all the time.
    const installed = async () => (await listing()).filter((line) => !line.includes(' /var/lib/vpsmon/'));
    const [files, pid] = [await installed(), await property('MainPID')];
    const out = await vps.run('cd /root/checkout && node bin/vpsmon.js install');
    expect(out).toContain('Nothing to do: vpsmon is installed, enabled and running.');
    expect(await installed()).toEqual(files);
    expect(await property('MainPID')).toBe(pid);
  });

  it('goes on without the checkout that it was installed from', async () => {
    await vps.run('rm -rf /root/checkout');
    await vps.run('systemctl restart vps-monitor');
    await checked();
    await startAll('vps-auto-recovery', 'vps-daily-report', 'vps-metrics-exporter');
    expect(await vps.run('cd / && vpsmon --version')).toMatch(/^\d+\.\d+\.\d+/);
    await vps.until('cat /var/lib/vpsmon/metrics/vpsmon.prom', hasAll('memory_pressure_score'));
    expect(await vps.run('ls /var/lib/vpsmon/reports')).toMatch(/\d{4}-\d{2}-\d{2}\.txt/);
  });
});

describe('hardened', () => {
  it('scores as promised, and systemd-analyze verify is silent', async () => {
    const limits: Record<string, number> = { 'vps-daily-report': 1.5 };
    for (const unit of UNITS) {
      const out = await vps.run(`systemd-analyze security --no-pager ${unit}.service | tail -n 1`);
      const score = Number(/: ([\d.]+) /.exec(out)?.[1]);
      expect(score, unit).toBeLessThanOrEqual(limits[unit] ?? 2.5);
    }
    const verify = await vps.try('systemd-analyze verify /etc/systemd/system/vps-*');
    expect(verify).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  it('shows the token nowhere', async () => {
    // The bracket keeps this command line itself from being found.
    const token = `[${TOKEN[0]}]${TOKEN.slice(1)}`;
    const leaks = await vps.try(
      `grep -rl --exclude-dir=journal '${token}' /etc/systemd /run/systemd /usr/local /var/log /var/lib/vpsmon /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null
       systemctl show 'vps-*' | grep '${token}'; journalctl -o export -u 'vps-*' | grep -a '${token}'`,
    );
    expect(leaks.stdout).toBe('');
  });

  it('sees in its sandbox what root sees outside: disks, memory, containers, the kernel log', async () => {
    // A check may have been too late for one of them.
    const inside = await vps.until(
      'curl -s http://127.0.0.1:8080/metrics',
      hasAll(
        /container_memory_bytes\{container="web"\} \d{4,}/,
        /vpsmon_disk_size_bytes\{mount="\/"/,
        /vpsmon_source_up\{source="oom"\} 1/,
      ),
    );
    const [size = ''] = /vpsmon_disk_size_bytes\{mount="\/".*/.exec(inside) ?? [];
    const blocks = Number(
      (await vps.run("stat -f -c '%b*%S' / | { IFS='*' read a b; echo $((a*b)); }")).trim(),
    );
    expect(Number(size.split(' ').at(-1))).toBe(blocks);
    expect(inside.match(/vpsmon_disk_size_bytes\{/g)).toHaveLength(1);
    await vps.until(HEALTH, (text) => text.includes('"reasons":[]'));
  });
});

describe('status', () => {
  it('says at a glance how it goes', async () => {
    await shows(
      'vpsmon status',
      0,
      /ok {3}vps-monitor\.service +runs for/,
      /ok {3}vps-metrics-exporter\.timer +(last run .*: fine|runs just now); next/,
      /ok {3}messages +\d+ sent to "Ops", none waiting/,
      'No open incidents.',
    );
  });

  it('says what to do when one is not well, and what is open', async () => {
    const count = (await messagesIn(vps)).length;
    await vps.run('systemctl stop vps-auto-recovery.timer; systemctl disable -q vps-daily-report.timer');
    try {
      await fillDisk();
      await awaitMessage(/disk/i, count);
      await shows(
        'vpsmon status',
        2,
        /FAIL {2}vps-auto-recovery\.timer +is stopped/,
        '-> systemctl enable --now vps-auto-recovery.timer',
        /WARN {2}vps-daily-report\.timer +is not started after a reboot/,
        '-> systemctl enable vps-daily-report.timer',
        'Open incidents (1)',
      );
    } finally {
      await vps.run('systemctl start vps-auto-recovery.timer; systemctl enable -q vps-daily-report.timer');
    }
  });

  it('works without root, as far as it can', async () => {
    await vps.until(
      'cd / && setpriv --reuid nobody --regid nogroup --clear-groups vpsmon status',
      hasAll(/ok {3}vps-monitor\.service +runs for/, 'sudo vpsmon status'),
    );
  });
});

describe('reload', () => {
  beforeAll(fillDisk);

  it('takes a changed setting over at the next check, in the same process, and keeps what is open', async () => {
    const [pid, before] = [await property('MainPID'), await openDisk()];
    expect(before).toHaveLength(1);
    await set({ DISK_WARNING_PCT: 11, TELEGRAM_ACTIONS: true, TELEGRAM_ALLOWED_USERS: ADA.id });
    await vps.until(
      'journalctl -o cat -u vps-monitor | grep "read anew; changed" | tail -n 1',
      hasAll(/TELEGRAM_ACTIONS, TELEGRAM_ALLOWED_USERS.*DISK_WARNING_PCT/),
    );
    await checked();
    expect(await openDisk()).toEqual(before);
    expect(await property('MainPID')).toBe(pid);
    expect(await property('NRestarts')).toBe('0');
  });

  it('keeps the settings of before where the file has mistakes, and says so in the journal and on Telegram', async () => {
    const [pid, count] = [await property('MainPID'), (await messagesIn(vps)).length];
    const before = await openDisk();
    await vps.run('cp -p /etc/vpsmon/monitor.conf /root/good.conf');
    await set({ DISK_WARNING_PCT: 'lots' });
    expect(await awaitMessage(/The settings have mistakes/, count)).toMatch(
      /monitor\.conf:\d+ DISK_WARNING_PCT/,
    );
    await vps.until(
      'journalctl -o cat -u vps-monitor',
      hasAll(/the ones from before stay in force[\s\S]*DISK_WARNING_PCT: expected .* found "lots"/),
    );
    await vps.run('mv /root/good.conf /etc/vpsmon/monitor.conf; systemctl reload vps-monitor');
    await awaitMessage(/The settings are right again/, count);
    expect(await openDisk()).toEqual(before);
    expect(await property('MainPID')).toBe(pid);
  });
});

describe('the journal', () => {
  it('U10: has each message as one line, and timers are quiet while there is nothing to report', async () => {
    const alerts = (await messagesIn(vps)).filter((text) => /Service Stopped|: Disk |mistakes/.test(text));
    expect(alerts.length).toBeGreaterThan(1);
    const starts = alerts.map((text) =>
      text
        .replace(/^WARNING: /, '')
        .split('\n')
        .filter(Boolean)
        .join(' | ')
        .slice(0, 60),
    );
    // The journal may have a line a little later than the phone has its message.
    const journal = await vps.until('journalctl -o cat -u vps-monitor', (text) =>
      starts.every((start) => text.split('\n').some((line) => line.includes(start))),
    );
    const lines = journal.split('\n');
    expect(lines.filter((line) => /^\s|^$/.test(line)).length).toBeLessThanOrEqual(1);
    await startAll('vps-auto-recovery', 'vps-metrics-exporter');
    const timers = 'journalctl -o cat -u vps-auto-recovery -u vps-metrics-exporter --since -2min';
    expect(await vps.run(timers)).not.toMatch(/Starting|Started|Finished|Deactivated/);
    keepSeen('journal.txt', await vps.run(`journalctl -u vps-monitor; ${timers}`));
  });
});

describe('survives', () => {
  it('kill -9: it is back within seconds, and says so', async () => {
    const [pid, count] = [await property('MainPID'), (await messagesIn(vps)).length];
    await vps.run(`kill -9 ${pid}`);
    await replaced(pid);
    await checked();
    await awaitMessage(/ended by the signal KILL/, count);
  });

  it('a monitor that hangs is replaced by the watchdog', async () => {
    const count = (await messagesIn(vps)).length;
    // Not two minutes long, for the sake of this test.
    await vps.run(`mkdir -p /run/systemd/system/vps-monitor.service.d
      printf '[Service]\\nWatchdogSec=15\\n' >/run/systemd/system/vps-monitor.service.d/test.conf
      systemctl daemon-reload; systemctl restart vps-monitor`);
    await checked();
    // The watchdog is fed between checks that are further apart than it waits; unless the machine stands still, which it does not again and again.
    let pid = '';
    for (let i = 0; i < 12 && (await property('MainPID')) !== pid; i += 1) {
      await active();
      pid = await property('MainPID');
      await new Promise((resolve) => setTimeout(resolve, 20_000));
    }
    expect(await property('MainPID')).toBe(pid);
    await vps.run(`kill -STOP ${pid}`);
    await replaced(pid);
    await vps.run('rm -r /run/systemd/system/vps-monitor.service.d; systemctl daemon-reload');
    await checked();
    await awaitMessage(/hung: no check was finished/, count);
  });

  it('a monitor above its memory ceiling is replaced, and it is said', async () => {
    const [pid, count] = [await property('MainPID'), (await messagesIn(vps)).length];
    await vps.run(`systemctl set-property --runtime vps-monitor MemoryMax=6M
      for i in $(seq 1500); do [ "$(systemctl show -P MainPID vps-monitor)" = ${pid} ] || break; sleep 0.2; done
      systemctl set-property --runtime vps-monitor MemoryMax=128M`);
    await active();
    await checked();
    expect(await property('MainPID')).not.toBe(pid);
    await awaitMessage(/killed for its memory/, count);
  });

  it('Docker stopped and started', async () => {
    const count = (await messagesIn(vps)).length;
    const pid = await property('MainPID');
    await vps.run('systemctl stop docker.socket docker.service');
    await vps.until(HEALTH, (text) => text.includes('"docker_connected":false'));
    await awaitMessage(/Docker Is Gone/, count);
    expect(await property('ActiveState')).toBe('active');
    await vps.run('systemctl start docker.socket docker.service');
    await vps.until(HEALTH, (text) => text.includes('"docker_connected":true'));
    // Nothing starts `shop` again, and that is known 20 s after Docker is back: it must not be news of a later test. Where Docker needs 20 s
    // to end after its containers have, nobody can tell that from a stop on request, which has been sent by then.
    const back = await awaitMessage(/Docker Is Back/, count);
    const alone = (await messagesIn(vps)).slice(count).filter((text) => /Service Stopped[^]*shop/.test(text));
    if (alone.length === 0) expect(back).toMatch(/Did not come back: \d[^]*shop/);
    await vps.run('docker rm shop');
    await awaitMessage(/shop was removed/, count);
    await vps.until('vpsmon status', hasAll('Open incidents (1)'));
    expect(await property('MainPID')).toBe(pid);
  });

  it('a reboot: all up again, nothing repeated, nothing about a crash', async () => {
    const messages = await messagesIn(vps);
    await vps.reboot();
    await checked();
    expect(await unitStates()).toEqual(STARTED.map((unit) => `${unit} active enabled`));
    // U7: one message.
    await awaitMessage(/Server Rebooted|Monitor Started/, messages.length);
    const fresh = (await messagesIn(vps)).slice(messages.length);
    expect(newsOf(fresh, /went down|disk|signal|hung/i)).toEqual([]);
    await vps.until('vpsmon status', hasAll('Open incidents (1)'));
  });

  it('a power cut: one message, with how long it was away', async () => {
    const messages = await messagesIn(vps);
    await vps.run('sync');
    await vps.cut();
    await checked();
    await awaitMessage(/went down without shutting down/, messages.length);
    // A message whose answer has not come yet is repeated after a stop that takes too long.
    await vps.until(HEALTH, hasAll('"alerts_waiting":0,'));
    await vps.run('systemctl restart vps-monitor');
    await checked();
    const fresh = (await messagesIn(vps)).slice(messages.length);
    expect(fresh.filter((text) => /went down/.test(text))).toHaveLength(1);
    expect(newsOf(fresh, /: Disk /)).toEqual([]);
  });
});

describe('doctor', () => {
  it('is content with a set-up that is well', async () => {
    await shows(
      'vpsmon doctor',
      0,
      'All is well.',
      /ok {3}telegram +@standin_bot writes to "Ops"/,
      /ok {3}machine +Debian GNU\/Linux 12/,
    );
  });

  it('says what another user cannot see, and what to do', async () => {
    await shows(
      'cd / && setpriv --reuid nobody --regid nogroup --clear-groups vpsmon doctor --state-dir /var/lib/vpsmon',
      2,
      /FAIL {2}docker +.*permission denied/,
      'usermod -aG docker',
      /WARN {2}kernel log +may not be read/,
      /FAIL {2}state +.*may not be written by this user/,
      /WARN {2}config +.*monitor\.conf.*may not be read/,
    );
  });

  it('says what is wrong with units, timers, Docker and the configuration', async () => {
    await vps.run(`chmod 644 /etc/vpsmon/monitor.conf; systemctl disable -q --now vps-metrics-exporter.timer
      sed -i 's/^TELEGRAM_CHAT_ID=.*/TELEGRAM_CHAT_ID=-100999/' /etc/vpsmon/monitor.conf
      systemctl stop docker.socket docker.service vps-monitor`);
    try {
      await shows(
        'vpsmon doctor',
        2,
        'chmod 600 /etc/vpsmon/monitor.conf',
        /FAIL {2}vps-metrics-exporter\.timer +is stopped/,
        /FAIL {2}vps-monitor\.service +does not run/,
        'systemctl enable --now vps-monitor.service',
        /FAIL {2}docker +.*the Docker engine is not running|FAIL {2}docker +no Docker socket/,
        /FAIL {2}telegram +refuses: 400 Bad Request: chat not found/,
        'vpsmon telegram chats',
      );
    } finally {
      await vps.run(`sed -i 's/^TELEGRAM_CHAT_ID=.*/TELEGRAM_CHAT_ID=${CHAT}/' /etc/vpsmon/monitor.conf
        chmod 600 /etc/vpsmon/monitor.conf; systemctl start docker.socket docker
        systemctl enable -q --now vps-metrics-exporter.timer vps-monitor`);
    }
    await checked();
  });
});

describe('upgrade', () => {
  it('keeps configuration, state and open incidents; interrupted anywhere, the next one finishes it', async () => {
    await unpack();
    await vps.run(`sed -i 's/"version": *"[^"]*"/"version": "99.0.0"/' /root/checkout/package.json`);
    const conf = await vps.run('sha256sum /etc/vpsmon/monitor.conf');
    const count = (await messagesIn(vps)).length;
    for (const lines of [1, 3]) await killInstallAfter(lines);
    const out = await vps.run('cd /root/checkout && node bin/vpsmon.js install');
    expect(out).toContain('installed, enabled and running');
    expect(await vps.run('readlink /usr/local/lib/vpsmon/current')).toMatch(/^99\.0\.0-/);
    // The old version goes when no unit that was started from it is just at work: then, or with the next installation.
    await vps.until(
      'cd /root/checkout && node bin/vpsmon.js install >/dev/null; ls /usr/local/lib/vpsmon',
      (text) => text.trim().split('\n').length === 3, // the version, `current`, the manifest
    );
    await checked();
    expect(await vps.run('sha256sum /etc/vpsmon/monitor.conf')).toBe(conf);
    await vps.until('vpsmon status', hasAll('Open incidents (1)'));
    expect(newsOf((await messagesIn(vps)).slice(count), /disk/i)).toEqual([]);
    await vps.run('rm -rf /root/checkout');
  });
});

describe('uninstall', () => {
  it('leaves configuration and state, and nothing else', async () => {
    await vps.run('rm -rf /root/checkout; vpsmon uninstall');
    const left = differences(await listing());
    const foreign = left.filter(
      (line) => !/ \/?(etc|var\/lib)\/vpsmon(\/| |$)/.test(line.replace(/ +/g, ' ')),
    );
    expect(foreign).toEqual([]);
    expect(left.some((line) => line.includes('/etc/vpsmon/monitor.conf'))).toBe(true);
    expect(left.some((line) => line.includes('/var/lib/vpsmon/vpsmon.db'))).toBe(true);
    // systemd may remember a name for a while, as long as it says that there is no such unit and that nothing of it failed.
    const units = await vps.run('systemctl list-units --all --plain --no-legend "vps-*"');
    expect(
      units.split('\n').filter((line) => line.trim() && !/ not-found +inactive +dead /.test(line)),
    ).toEqual([]);
  });

  it('with --purge leaves nothing at all', async () => {
    await unpack();
    await vps.run('cd /root/checkout && node bin/vpsmon.js install');
    await checked();
    await vps.run('cd /root/checkout && node bin/vpsmon.js uninstall --purge && rm -rf /root/checkout');
    expect(differences(await listing())).toEqual([]);
  });
});
