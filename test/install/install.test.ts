import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { install } from '../../src/commands/install.ts';
import { uninstall } from '../../src/commands/uninstall.ts';
import type { GlobalOptions } from '../../src/commands/context.ts';
import type { Config } from '../../src/config/schema.ts';
import { gatherInstall } from '../../src/install/gather.ts';
import { planInstall } from '../../src/install/plan.ts';
import type { Machine } from '../../src/system/machine.ts';
import { commandContext, configWith, type Recorded } from '../helpers/command.ts';
import { openPlace, writePackage, type Place } from './place.ts';

let place: Place;
beforeEach(() => {
  place = openPlace();
});
afterEach(() => place.clean());

type Result = Recorded & { code: number };
async function installed(
  options: GlobalOptions = {},
  config: Partial<Config> = {},
  machine?: Machine,
): Promise<Result> {
  const recorded = commandContext(configWith({}, config), options, {
    run: place.run,
    system: { root: true },
  });
  const { source } = place;
  const code = await install(recorded.context, {
    machine: machine ?? place.machine,
    source,
    node: '/usr/bin/node',
  });
  return { ...recorded, code };
}
async function removed(purge: boolean, machine?: Machine): Promise<Result> {
  const recorded = commandContext(configWith({}), {}, { run: place.run, system: { root: true } });
  const code = await uninstall(recorded.context, purge, machine ?? place.machine);
  return { ...recorded, code };
}
const read = (path: string) => readFileSync(join(place.root, path), 'utf8');
const mode = (path: string) => statSync(join(place.root, path)).mode & 0o7777;

describe('install', () => {
  it('in a guest that may not mount: leaves that part of the sandbox out and says so; is whole again where it may', async () => {
    const systemctl = place.run;
    let code = 226;
    place.run = async (file, ...rest) =>
      file === 'systemd-run' ? { exitCode: code, stdout: '', stderr: '' } : systemctl(file, ...rest);
    const mounts =
      /^(Protect(System|Home|Proc|Kernel\w+|ControlGroups)|Private(Tmp|Mounts|Devices|Users)|ProcSubset)=/m;
    const { out } = await installed();
    expect(out()).toContain('systemd may mount nothing in this guest (226/NAMESPACE)');
    for (const name of ['monitor', 'auto-recovery', 'daily-report', 'metrics-exporter']) {
      const unit = read(`etc/systemd/system/vps-${name}.service`);
      expect(unit).not.toMatch(mounts);
      for (const kept of [
        'NoNewPrivileges=yes',
        'SystemCallFilter=@system-service',
        'MemoryMax=',
        'UMask=0077',
      ])
        expect(unit).toContain(kept);
    }
    expect((await installed()).out()).toContain('Nothing to do');
    code = 0;
    await installed();
    expect(read('etc/systemd/system/vps-monitor.service')).toMatch(/^ProtectSystem=strict$/m);
    await removed(true);
    expect(place.listing().filter((path) => path.includes('vps-'))).toEqual([]);
  });

  it('writes program, command, configuration, state folder and units, and starts them', async () => {
    const { code, out } = await installed();
    expect(code).toBe(0);
    const version = readlinkSync(join(place.root, 'usr/local/lib/vpsmon/current'));
    expect(version).toMatch(/^1\.0\.0-[0-9a-f]{12}$/);
    const program = `usr/local/lib/vpsmon/${version}`;
    expect(read(`${program}/dist/cli.js`)).toBe('// first\n');
    expect(mode(`${program}/bin/vpsmon.js`)).toBe(0o755);
    expect(mode('etc/vpsmon/monitor.conf')).toBe(0o600);
    expect(read('etc/vpsmon/monitor.conf')).toBe('ENABLE_AUTO_RECOVERY=true\n');
    expect(mode('var/lib/vpsmon')).toBe(0o711);
    expect(read('usr/local/bin/vpsmon')).toContain(
      'exec /usr/bin/node /usr/local/lib/vpsmon/current/bin/vpsmon.js "$@"',
    );
    expect(mode('usr/local/bin/vpsmon')).toBe(0o755);
    expect(read('usr/local/share/man/man1/vpsmon.1')).toBe('vpsmon first');
    expect(mode('usr/local/share/bash-completion/completions/vpsmon')).toBe(0o644);
    const monitor = read('etc/systemd/system/vps-monitor.service');
    expect(monitor).toMatch(
      /^ExecStart=\/usr\/bin\/perl \/usr\/local\/lib\/vpsmon\/current\/systemd\/notify-exec \/usr\/bin\/node --no-opt .*monitor --config \/etc\/vpsmon\/monitor\.conf --state-dir \/var\/lib\/vpsmon$/m,
    );
    expect(monitor).not.toMatch(/@[A-Z_]+@/);
    expect(place.commands).toEqual([
      'systemctl daemon-reload',
      'systemctl enable vps-monitor.service vps-auto-recovery.timer vps-daily-report.timer vps-metrics-exporter.timer',
      'systemctl restart vps-monitor.service vps-auto-recovery.timer vps-daily-report.timer vps-metrics-exporter.timer',
    ]);
    expect(out()).toContain('  vpsmon setup    pairs your phone');
  });

  it('installs the native packages for this processor and C library, and nothing else of node_modules', async () => {
    await installed();
    const modules = join(place.root, 'usr/local/lib/vpsmon/current/node_modules');
    const there = (name: string) => existsSync(join(modules, name));
    const platform = `@libsql/${process.platform}-${process.arch}`;
    expect(there('libsql') && there('detect-libc') && there('@resvg/resvg-js')).toBe(true);
    expect([there(`${platform}-gnu`), there(`${platform}-musl`)].toSorted()).toEqual([false, true]);
    expect(there('@libsql/other') || there('not-needed')).toBe(false);
  });

  it("reads files piece by piece: Node's own has 100 MB, and the server may have no more", async () => {
    writeFileSync(join(place.source, 'dist/big.js'), Buffer.alloc(5_000_000, 'x'));
    expect((await installed()).code).toBe(0);
    const big = '/usr/local/lib/vpsmon/current/dist/big.js';
    const pieces = Array.from(place.machine.chunks(big)!, (piece) => piece.length);
    expect(Math.max(...pieces)).toBeLessThanOrEqual(1_048_576);
    expect(pieces.reduce((sum, length) => sum + length)).toBe(5_000_000);
    expect(place.machine.chunks('/nowhere')).toBeUndefined();
  });

  it('changes nothing when it is run again, and says so', async () => {
    await installed();
    const before = place.listing();
    place.commands.length = 0;
    const { code, out } = await installed();
    expect(code).toBe(0);
    expect(out()).toContain('Nothing to do: vpsmon is installed, enabled and running.');
    expect(place.listing()).toEqual(before);
    expect(place.commands).toEqual([]);
  });

  it('prints with --dry-run exactly what it then does', async () => {
    const before = place.listing();
    const dry = await installed({ dryRun: true });
    expect(dry.code).toBe(0);
    expect(place.listing()).toEqual(before);
    expect(place.commands).toEqual([]);
    const planned = dry
      .out()
      .split('\n')
      .filter((line) => /^ {2}(create|write|copy|link|remove|run) /.test(line));
    const real = await installed();
    const done = real
      .out()
      .split('\n')
      .filter((line) => /^ {2}(create|write|copy|link|remove|run) /.test(line));
    expect(planned).toEqual(done);
    expect(planned.length).toBeGreaterThan(15);
    for (const line of place.commands) expect(dry.out()).toContain(`run            ${line}`);
    // Every single file of the program is named.
    expect(dry.out()).toContain('dist/fonts/a.ttf');
  });

  it('never overwrites the configuration, and takes the one over that was tried out before', async () => {
    const tried = join(place.source, 'monitor.conf');
    writeFileSync(tried, 'TELEGRAM_CHAT_ID=1\n');
    writeFileSync(join(place.source, 'vpsmon.yaml'), 'services: []\n');
    await installed({}, { files: [tried] });
    expect(read('etc/vpsmon/monitor.conf')).toBe('TELEGRAM_CHAT_ID=1\n');
    expect(read('etc/vpsmon/vpsmon.yaml')).toBe('services: []\n');
    expect(mode('etc/vpsmon/vpsmon.yaml')).toBe(0o600);
    writeFileSync(tried, 'TELEGRAM_CHAT_ID=2\n');
    await installed({}, { files: [tried] });
    expect(read('etc/vpsmon/monitor.conf')).toBe('TELEGRAM_CHAT_ID=1\n');
  });

  it('never prints what stands in the configuration', async () => {
    const tried = join(place.source, 'monitor.conf');
    writeFileSync(tried, 'TELEGRAM_BOT_TOKEN=123456:secret\n');
    const { out } = await installed({ dryRun: true, json: true }, { files: [tried] });
    expect(out()).not.toContain('123456:secret');
    expect(JSON.parse(out()).steps.length).toBeGreaterThan(15);
  });

  it('upgrades: another program, the same configuration and state; the monitor is restarted, the old version goes', async () => {
    await installed();
    const old = readlinkSync(join(place.root, 'usr/local/lib/vpsmon/current'));
    writeFileSync(join(place.root, 'etc/vpsmon/monitor.conf'), 'SWAP_THRESHOLD_MB=1\n');
    writeFileSync(join(place.root, 'var/lib/vpsmon/vpsmon.db'), 'history');
    writePackage(place.source, '1.1.0', 'second');
    place.commands.length = 0;
    const { code } = await installed();
    expect(code).toBe(0);
    expect(read('usr/local/lib/vpsmon/current/dist/cli.js')).toBe('// second\n');
    expect(existsSync(join(place.root, 'usr/local/lib/vpsmon', old))).toBe(false);
    expect(read('etc/vpsmon/monitor.conf')).toBe('SWAP_THRESHOLD_MB=1\n');
    expect(read('var/lib/vpsmon/vpsmon.db')).toBe('history');
    expect(place.commands).toEqual(['systemctl restart vps-monitor.service']);
  });

  it('U15: says when an older version is installed over a later one', async () => {
    writePackage(place.source, '1.10.0', 'first');
    await installed();
    writePackage(place.source, '1.9.0', 'second');
    const { code, out } = await installed();
    expect(code).toBe(0);
    expect(out()).toContain('1.10.0 is installed, and this is the older 1.9.0.');
    expect((await installed()).out()).not.toContain('older');
  });

  it('mends what was changed or lost: a file of the program, a unit, a disabled timer', async () => {
    await installed();
    const before = place.listing();
    writeFileSync(join(place.root, 'usr/local/lib/vpsmon/current/dist/cli.js'), '');
    rmSync(join(place.root, 'etc/systemd/system/vps-daily-report.timer'));
    chmodSync(join(place.root, 'usr/local/bin/vpsmon'), 0o644);
    place.units.set('vps-auto-recovery.timer', { enabled: false, active: true });
    place.commands.length = 0;
    expect((await installed()).code).toBe(0);
    expect(place.listing()).toEqual(before);
    expect(place.commands).toEqual([
      'systemctl daemon-reload',
      'systemctl enable vps-auto-recovery.timer',
      'systemctl restart vps-monitor.service vps-daily-report.timer',
    ]);
  });

  it('keeps a command of the same name that is not its own, and the text of units that it replaces', async () => {
    writeFileSync(join(place.root, 'usr/local/bin/vpsmon'), '#!/bin/sh\necho mine\n');
    writeFileSync(
      join(place.root, 'etc/systemd/system/vps-monitor.service'),
      '[Service]\nExecStart=/opt/monitor.sh\n',
    );
    const { out } = await installed();
    expect(read('usr/local/bin/vpsmon')).toBe('#!/bin/sh\necho mine\n');
    expect(out()).toContain("/usr/local/bin/vpsmon is another program's and stays");
    expect(read('var/lib/vpsmon/replaced-vps-monitor.service')).toContain('/opt/monitor.sh');
    await removed(true);
    expect(read('usr/local/bin/vpsmon')).toBe('#!/bin/sh\necho mine\n');
  });

  it('takes node along where it lies in a home folder', async () => {
    const node = join(place.source, 'node_modules/.cache/node');
    mkdirSync(join(node, '..'), { recursive: true });
    writeFileSync(node, 'the node program', { mode: 0o755 });
    const recorded = commandContext(configWith({}), {}, { run: place.run, system: { root: true } });
    await install(recorded.context, { machine: place.machine, source: place.source, node });
    expect(read('usr/local/lib/vpsmon/current/node/bin/node')).toBe('the node program');
    expect(read('etc/systemd/system/vps-metrics-exporter.service')).toContain(
      'ExecStart=/usr/local/lib/vpsmon/current/node/bin/node /usr/local/lib/vpsmon/current/bin/vpsmon.js export all',
    );
  });

  it('is not put beside the Debian package, whose units it would hide', async () => {
    place.machine.makeFolder('/usr/lib/vpsmon', 0o755);
    const before = place.listing();
    const { code, err } = await installed();
    expect(code).toBe(3);
    expect(err()).toContain('Upgrade it (`apt install ./vpsmon_*.deb`), or `apt remove vpsmon` first');
    expect(place.listing()).toEqual(before);
  });

  it('refuses without root and without systemd, and says what to do', async () => {
    const user = commandContext(configWith({}), {}, { run: place.run, system: { root: false } });
    const where = { machine: place.machine, source: place.source, node: '/usr/bin/node' };
    expect(await install(user.context, where)).toBe(3);
    expect(user.err()).toContain('sudo');
    rmSync(join(place.root, 'run/systemd'), { recursive: true });
    const before = place.listing();
    const { code, err } = await installed();
    expect(code).toBe(3);
    expect(err()).toContain('does not run systemd');
    expect(err()).toContain('vpsmon monitor');
    expect(place.listing()).toEqual(before);
  });

  it('says that a checkout is not built', async () => {
    rmSync(join(place.source, 'dist'), { recursive: true });
    const { code, err } = await installed();
    expect(code).toBe(3);
    expect(err()).toContain('npm ci');
  });
});

describe('uninstall', () => {
  it('leaves configuration and state, and nothing else', async () => {
    const before = place.listing();
    await installed();
    const { code, out } = await removed(false);
    expect(code).toBe(0);
    expect(out()).toContain('--purge');
    const left = place.listing().filter((line) => !before.includes(line));
    expect(left.map((line) => line.split(' ')[0])).toEqual([
      '/etc/vpsmon/',
      '/etc/vpsmon/monitor.conf',
      '/var/lib/vpsmon/',
    ]);
    expect(before.filter((line) => !place.listing().includes(line))).toEqual([]);
    expect(place.commands.slice(-3).map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      'systemctl disable',
      'systemctl daemon-reload',
      'systemctl reset-failed',
    ]);
  });

  it('with --purge leaves nothing at all, folders that install made included', async () => {
    rmSync(join(place.root, 'usr/local'), { recursive: true });
    rmSync(join(place.root, 'etc/systemd'), { recursive: true });
    const before = place.listing();
    expect((await installed()).code).toBe(0);
    expect((await removed(true)).code).toBe(0);
    expect(place.listing()).toEqual(before);
    expect((await removed(true)).out()).toContain('vpsmon is not installed');
  });
});

describe('interrupted', () => {
  it.each(['install', 'uninstall'] as const)(
    'at any step: says what is left; then %s finishes',
    async (next) => {
      const clean = place.listing();
      await installed();
      const whole = place.listing();
      await removed(true);
      const steps = planInstall(
        await gatherInstall({
          machine: place.machine,
          run: place.run,
          source: place.source,
          node: '/usr/bin/node',
          configFile: undefined,
          systemd: true,
        }),
      ).steps.length;
      expect(steps).toBeGreaterThan(15);

      for (let at = 0; at < steps; at += 1) {
        const broken = breakAt(place, at);
        const { code, err } = await installed({}, {}, broken.machine);
        broken.mend();
        expect(code, `step ${at}`).toBe(2);
        expect(err()).toContain('the disk is full');
        expect(err()).toContain('`vpsmon install` again');
        if (at < steps - 1) expect(err()).toContain('Left to do:');
        if (next === 'install') {
          expect((await installed()).code, `step ${at}`).toBe(0);
          expect(place.listing(), `step ${at}`).toEqual(whole);
          expect(
            [...place.units.values()].every((unit) => unit.enabled && unit.active),
            `step ${at}`,
          ).toBe(true);
        }
        expect((await removed(true)).code).toBe(0);
        expect(place.listing(), `step ${at}`).toEqual(clean);
        expect([...place.units.keys()], `step ${at}`).toEqual([]);
      }
    },
  );
});

/** Lets the first `at` steps pass and the next one fail half-way, with what a killed process leaves behind. */
function breakAt(place: Place, at: number): { machine: Machine; mend(): void } {
  let left = at;
  const { machine, run } = place;
  const step =
    <A extends unknown[], R>(work: (...args: A) => R, leftover?: (...args: A) => void) =>
    (...args: A): R => {
      if (left > 0) {
        left -= 1;
        return work(...args);
      }
      leftover?.(...args);
      throw new Error('the disk is full');
    };
  const halfWritten = (path: string) =>
    writeFileSync(`${join(place.root, path)}.vpsmon-new`, 'half', { mode: 0o600 });
  let copying = false;
  const broken: Machine = {
    ...machine,
    makeFolder: (path, mode) =>
      copying ? machine.makeFolder(path, mode) : step(machine.makeFolder)(path, mode),
    write: step(machine.write, halfWritten),
    link: step(machine.link, halfWritten),
    copyIn: machine.copyIn,
    remove(path) {
      copying ||= path.endsWith('.partial');
      machine.remove(path);
    },
    rename: (from, to) => {
      copying = false;
      return step(machine.rename)(from, to);
    },
  };
  place.run = async (file, args, options) =>
    args[0] === 'show' ? run(file, args, options) : step(run)(file, args, options);
  return {
    machine: broken,
    mend() {
      place.run = run;
    },
  };
}
