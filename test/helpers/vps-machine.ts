// A whole machine for tests: Debian with systemd, Docker, swap and cgroup v2, in QEMU. See test/vps/machine.sh.
import { spawn, execFileSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { freePort } from './free-port.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SCRIPT = join(ROOT, 'test/vps/machine.sh');

export type Ran = { code: number; stdout: string; stderr: string };
export type VpsMachine = {
  /** Runs a shell command as root, whatever its exit code. */
  try(command: string, timeoutMs?: number): Promise<Ran>;
  /** The same, and its stdout; throws when it fails. */
  run(command: string, timeoutMs?: number): Promise<string>;
  /** Runs the command until its output pleases `good`, and returns that; throws with the last output after the time is up. */
  until(command: string, good: (stdout: string) => boolean, timeoutMs?: number): Promise<string>;
  put(from: string, to: string): Promise<void>;
  get(from: string, to: string): Promise<void>;
  /** Pulls the plug, and switches it on again. */
  cut(): Promise<void>;
  /** Shuts down properly and waits until it is back. */
  reboot(): Promise<void>;
};

/** What has begun and is not known to have ended: machines, and calls of the script. */
const machines = new Set<() => Promise<unknown>>();
const calls = new Set<ChildProcess>();

/** For `afterAll`: ends every machine of this test file, also one that was still on its way up when a test gave up waiting. */
export async function downAll(): Promise<void> {
  for (const child of calls) killFamily(child);
  for (const down of machines) await down();
}

/** The script with its ssh; a machine that it has booted is none of them. */
function killFamily({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

/** Longer than anything takes that goes well; below the time that a test has. */
const LONG_MS = 2_700_000;
/** For what is waited for and takes seconds on a quiet machine. */
const WAIT_MS = 1_200_000;
/** Exit codes of ssh where it could not ask the machine, and of a call that was given up. */
const NOT_ASKED = [255, -1];

function callScript(args: string[], env: NodeJS.ProcessEnv, timeoutMs: number): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(SCRIPT, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    calls.add(child);
    const timer = setTimeout(() => {
      killFamily(child);
      // The connection that all commands share holds its pipes for as long as the command goes on in the machine.
      child.stdout.destroy();
      child.stderr.destroy();
    }, timeoutMs);
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.once('error', reject);
    // `close`: all output was read. But of these qemu stays behind and holds the pipes.
    child.once(args[0] === 'up' || args[0] === 'cut' ? 'exit' : 'close', (code: number | null) => {
      clearTimeout(timer);
      calls.delete(child);
      setTimeout(() => resolve({ code: code ?? -1, stdout, stderr }), 20);
    });
  });
}

/** Boots a machine that forgets everything when it goes `down`. The first call ever builds its disk: 3 minutes, root, Debian. */
export async function bootVps(
  options: { memoryMb?: number; cpus?: number; suite?: 'bookworm' | 'trixie' } = {},
): Promise<VpsMachine> {
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    VPSMON_VPS_NAME: `test-${process.pid}-${Date.now() % 100_000}`,
    VPSMON_VPS_SUITE: options.suite ?? 'bookworm',
  };
  const call = (args: string[], timeoutMs = LONG_MS) => callScript(args, env, timeoutMs);
  const must = async (args: string[], timeoutMs?: number): Promise<string> => {
    const { code, stdout, stderr } = await call(args, timeoutMs);
    if (code !== 0)
      throw new Error(`machine.sh ${args.join(' ').slice(0, 300)} ended with ${code}\n${stdout}\n${stderr}`);
    return stdout;
  };
  const down = async () => void (await must(['down']));
  machines.add(down);
  for (let tries = 1; ; tries += 1) {
    env.VPSMON_VPS_PORT = String(await freePort());
    try {
      await must(['up', String(options.memoryMb ?? 1024), String(options.cpus ?? 2)]);
      break;
    } catch (error) {
      // Somebody else may have taken the port meanwhile.
      await down();
      if (tries === 2) throw error;
    }
  }
  const machine: VpsMachine = {
    try: (command, timeoutMs) => call(['run', command], timeoutMs),
    run: (command, timeoutMs) => must(['run', command], timeoutMs),
    async until(command, good, timeoutMs = WAIT_MS) {
      const deadline = Date.now() + timeoutMs;
      for (;;) {
        const { code, stdout, stderr } = await call(['run', command], timeoutMs);
        if (!NOT_ASKED.includes(code) && pleases(stdout, good)) return stdout;
        if (Date.now() > deadline)
          throw new Error(`not within ${timeoutMs / 1000} s: ${command}\n${stdout}\n${stderr}`);
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    },
    put: async (from, to) => void (await must(['put', from, to])),
    get: async (from, to) => void (await must(['get', from, to])),
    cut: async () => void (await must(['cut'])),
    reboot: async () => void (await must(['reboot'])),
  };
  return machine;
}

/** A command that failed prints nothing that can be read. */
function pleases(stdout: string, good: (stdout: string) => boolean): boolean {
  try {
    return good(stdout);
  } catch {
    return false;
  }
}

/** For `until`: the output has all of these. */
export function hasAll(...wanted: (string | RegExp)[]): (stdout: string) => boolean {
  return (stdout) =>
    wanted.every((one) => (typeof one === 'string' ? stdout.includes(one) : one.test(stdout)));
}

/**
 * Packs the checkout as `npm ci` leaves it, without what is only for developers, and puts it into the machine as
 * /opt/vpsmon.tgz. There is no network in there, so node_modules comes along.
 */
export async function putVpsmon(machine: VpsMachine): Promise<void> {
  if (!existsSync(join(ROOT, 'dist/cli.js'))) throw new Error('dist is missing: npm run build');
  const folder = mkdtempSync(join(tmpdir(), 'vpsmon-pack-'));
  const archive = join(folder, 'vpsmon.tgz');
  const native = ['libsql', '@libsql', '@neon-rs', 'detect-libc', '@resvg', '.bin/vpsmon'];
  const own = [
    'package.json',
    'LICENSE',
    'MONITORING.md',
    'monitor.conf.example',
    'bin',
    'dist',
    'systemd',
    'config',
  ];
  const wanted = [...own, ...native.map((name) => `node_modules/${name}`)].filter((path) =>
    existsSync(join(ROOT, path)),
  );
  try {
    execFileSync('tar', ['-C', ROOT, '-czf', archive, ...wanted]);
    await machine.put(archive, '/opt/vpsmon.tgz');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The stand-in for Telegram as a service of the machine, on port 8081; what it accepted is in /opt/sent.ndjson. */
export async function startTelegramIn(machine: VpsMachine): Promise<void> {
  await machine.put(join(ROOT, 'test/standins/telegram.js'), '/opt/telegram.mjs');
  await machine.run(`cat >/etc/systemd/system/standin.service <<'EOF'
[Unit]
Before=vps-monitor.service
[Service]
ExecStart=/usr/local/bin/node /opt/telegram.mjs --port 8081 --chat ${CHAT} --record /opt/sent.ndjson
Restart=always
[Install]
WantedBy=multi-user.target
EOF
touch /opt/sent.ndjson
systemctl enable -q --now standin.service`);
  await machine.until('curl -s http://127.0.0.1:8081/standin/sent', (text) => text.startsWith('['));
}

/** Installs what `putVpsmon` brought, with these settings and those that lead to the stand-in; its monitor runs then. */
export async function installIn(machine: VpsMachine, settings: string): Promise<void> {
  await machine.run(`mkdir -p /etc/vpsmon /root/checkout && tar -C /root/checkout -xzf /opt/vpsmon.tgz
cat >/etc/vpsmon/monitor.conf <<'EOF'
TELEGRAM_API_ROOT=http://127.0.0.1:8081
TELEGRAM_BOT_TOKEN=${TOKEN}
TELEGRAM_CHAT_ID=${CHAT}
${settings}
EOF
chmod 600 /etc/vpsmon/monitor.conf
cd /root/checkout && node bin/vpsmon.js install`);
}

/** Asks the monitor how it is. */
export const HEALTH = 'curl -s -m 5 http://127.0.0.1:8080/health';

/** Waits until the monitor has finished a check since it was started. */
export async function checkedIn(machine: VpsMachine): Promise<void> {
  await machine.until(HEALTH, (text) => /"checks":[1-9]/.test(text));
}

export async function propertyIn(
  machine: VpsMachine,
  name: string,
  unit = 'vps-monitor.service',
): Promise<string> {
  return (await machine.run(`systemctl show -P ${name} ${unit}`)).trim();
}

/** The stand-in's own. */
export const TOKEN = '123456789:AAStandInStandInStandInStandInStandIn';
export const CHAT = '-1001234567890';
/**
 * What arrived on the phone so far, as plain text, oldest first; without the line that says that it is late: how long a message was on
 * its way is a matter of the machine's speed, and of a test that sets the clock forward meanwhile.
 */
export async function messagesIn(machine: VpsMachine): Promise<string[]> {
  return (await sentIn(machine)).map(({ plain }) => plain.replace(/^Late: .*\n\n/, ''));
}

/** What arrived, and when (epoch ms of the machine). The last line may be half written, and one may be lost when the plug is pulled. */
export async function sentIn(machine: VpsMachine): Promise<{ at: number; plain: string }[]> {
  const lines = (await machine.run('cat /opt/sent.ndjson')).split('\n');
  return lines
    .slice(0, -1)
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { at: number; plain: string });
}

/** Waits for a message that contains the text, among those after the first `from`. A machine that stands still is asked again. */
export async function awaitMessageIn(
  machine: VpsMachine,
  text: RegExp,
  from = 0,
  timeoutMs = WAIT_MS,
): Promise<string> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const messages = (await messagesIn(machine).catch(() => [])).slice(from);
    const message = messages.find((one) => text.test(one));
    if (message !== undefined) return message;
    if (Date.now() > deadline) throw new Error(`no such message: ${text}\n${messages.join('\n---\n')}`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

/**
 * Waits until a message has all of this, as it was sent or in one of its edits: a check that came too late to ask Docker names no
 * container, and the next one does.
 */
export async function shownIn(machine: VpsMachine, ...wanted: readonly RegExp[]): Promise<void> {
  const sent = await messagesIn(machine);
  if (sent.some(hasAll(...wanted))) return;
  await machine.until('curl -s http://127.0.0.1:8081/standin/edits', (json) =>
    (JSON.parse(json) as { plain: string }[]).some(({ plain }) => hasAll(...wanted)(plain)),
  );
}

/** Whoever writes and taps on the phone. */
export const ADA = { id: 4711, is_bot: false, first_name: 'Ada' };

/** Has the stand-in for Telegram do something. */
async function postIn(machine: VpsMachine, what: string, body: unknown): Promise<void> {
  await machine.run(
    `curl -s -X POST http://127.0.0.1:8081/standin/${what} -d @- <<'EOF'\n${JSON.stringify(body)}\nEOF`,
  );
}

/** Looks until there is one. A machine that stands still is asked again. */
async function foundIn<T>(what: string, look: () => Promise<T | undefined>, timeoutMs: number): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = await look().catch(() => undefined);
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`there is still no ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

type Shown = { id: number; chatId: string; plain: string; keyboard: { text: string }[][] };

/** Taps a button of the newest message about this that has one, as soon as there is one. */
async function tapIn(machine: VpsMachine, about: RegExp, button: RegExp, timeoutMs: number): Promise<void> {
  const what = `message about ${about} with a button ${button}`;
  const look = async () => {
    const shown = JSON.parse(await machine.run('curl -s http://127.0.0.1:8081/standin/messages')) as Shown[];
    for (const one of shown.toReversed()) {
      const named = one.keyboard.flat().find(({ text }) => button.test(text));
      if (named && about.test(one.plain)) return [one, named.text] as const;
    }
    return undefined;
  };
  const [message, text] = await foundIn(what, look, timeoutMs);
  await postIn(machine, 'tap', { message, button: text, from: ADA });
}

/**
 * Taps a button and confirms it, until the message about it arrives. A question lasts for a minute: a machine that needed longer to show
 * it is asked again, as a person would.
 */
export async function confirmIn(
  machine: VpsMachine,
  about: RegExp,
  [button, confirm]: readonly [RegExp, RegExp],
  done: RegExp,
): Promise<void> {
  const from = (await messagesIn(machine)).length;
  const failures: unknown[] = [];
  const keep = (error: unknown) => void failures.push(error);
  for (let tries = 0; tries < 5; tries += 1) {
    await tapIn(machine, about, button, tries === 0 ? 300_000 : 30_000).catch(keep);
    await tapIn(machine, about, confirm, 60_000).catch(keep);
    const message = await awaitMessageIn(machine, done, from, 120_000).catch(keep);
    if (message !== undefined) return;
  }
  throw new AggregateError(failures, failures.map(String).join('\n'));
}

/** Keeps what a person would have seen for the documents, in the folder that VPSMON_SEEN names. */
export function keepSeen(name: string, content: string | Buffer): void {
  if (process.env.VPSMON_SEEN) writeFileSync(join(process.env.VPSMON_SEEN, name), content);
}

/** A machine with what most tests need: the archive of vpsmon, the stand-in for Telegram, and an image with a shell in it. */
export async function bootServer(): Promise<VpsMachine> {
  const machine = await bootVps();
  await Promise.all([putVpsmon(machine), startTelegramIn(machine), importBusybox(machine)]);
  return machine;
}

/** An image with a shell in it, for containers with `--network none`. */
export async function importBusybox(machine: VpsMachine): Promise<void> {
  await machine.run('docker image inspect busybox >/dev/null 2>&1 || docker import /opt/busybox.tar busybox');
}

/** The release's archive as /root/vpsmon.tar.xz, with what unpacks it: of Debian's standard system, which this one is less than. */
export async function putArchive(machine: VpsMachine, file: string): Promise<void> {
  await machine.put(file, '/root/vpsmon.tar.xz');
  await machine.put('/usr/bin/xz', '/usr/local/bin/xz');
}

/** Runs it in a cgroup of its own, with at most this memory, and returns what programs held at most, in bytes: without page cache. */
export async function anonymousIn(machine: VpsMachine, command: string, most = 'infinity'): Promise<number> {
  const out = await machine.run(
    `cd /root && cat >measured <<'EOF'
cgroup=/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)
(while sleep 0.2; do grep "^anon " $cgroup/memory.stat; done >/root/anon) & sampler=$!
(${command}); code=$?
kill $sampler; exit $code
EOF
     systemd-run --quiet --wait --pipe --collect -p MemoryMax=${most} -p MemorySwapMax=0 -p WorkingDirectory=/root bash measured >&2 &&
       sort -k2 -n anon | tail -1 | cut -d" " -f2`,
  );
  expect(out).toMatch(/^\d+\n$/);
  return Number(out);
}

/** Runs it where it may not take more: page cache is dropped, what a program holds is not. `disk` prints the KiB that are there then. */
export async function inHundredMb(
  machine: VpsMachine,
  what: string,
  command: string,
  disk: string,
): Promise<void> {
  const anon = await anonymousIn(machine, command, '100M');
  const bytes = 1024 * Number(await machine.run(`cd /root && ${disk}`));
  console.log(
    `${what}: ${Math.round(anon / 1e6)} MB anonymous at most, ${Math.round(bytes / 1e6)} MB of files`,
  );
  expect(anon).toBeLessThan(100e6);
  expect(bytes).toBeGreaterThan(50e6);
  expect(bytes).toBeLessThan(130e6);
}

/** Files and units of vpsmon's. */
export async function leftOver(machine: VpsMachine): Promise<string[]> {
  const left = await machine.run(
    `find / -xdev \\( -path /proc -o -path /root -o -path /opt -o -path /var/log -o -path /var/lib/docker \\) -prune -o \\( -name '*vpsmon*' -o -name 'vps-*.service' -o -name 'vps-*.timer' \\) -print; systemctl list-unit-files 'vps-*' --no-legend || true`,
  );
  return left.split('\n').filter(Boolean);
}
