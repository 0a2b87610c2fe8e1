// Debian 13 with 1 GiB: the package takes over from a checkout's installation, sends an alert, and is purged.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  anonymousIn,
  bootVps,
  downAll,
  CHAT,
  checkedIn,
  importBusybox,
  messagesIn,
  inHundredMb,
  leftOver,
  putArchive,
  putVpsmon,
  startTelegramIn,
  awaitMessageIn,
  TOKEN,
  type VpsMachine,
} from '../helpers/vps-machine.ts';

let vps: VpsMachine;
const folder = mkdtempSync(join(tmpdir(), 'vpsmon-debian13-'));

beforeAll(async () => {
  execFileSync(process.execPath, ['scripts/release.js', '--quick', join(folder, 'files'), 'x64'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  vps = await bootVps({ suite: 'trixie' });
  const made = (end: string) =>
    join(
      folder,
      'files',
      readdirSync(join(folder, 'files')).find((name) => name.endsWith(end))!,
    );
  await vps.put(made('.deb'), '/root/vpsmon.deb');
  await putArchive(vps, made('.tar.xz'));
  await vps.put(emptyPackage(), '/root/empty.deb');
  await Promise.all([putVpsmon(vps), startTelegramIn(vps), importBusybox(vps)]);
});
afterAll(async () => {
  await downAll();
  rmSync(folder, { recursive: true, force: true });
});

/** A package with nothing in it: what apt takes for it, it takes for whatever it installs. */
function emptyPackage(): string {
  const tree = join(folder, 'empty');
  mkdirSync(join(tree, 'DEBIAN'), { recursive: true });
  const control =
    'Package: empty\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@localhost>\nDescription: empty\n';
  writeFileSync(join(tree, 'DEBIAN/control'), control);
  execFileSync('dpkg-deb', ['--root-owner-group', '-b', tree, join(folder, 'empty.deb')], {
    stdio: 'ignore',
  });
  return join(folder, 'empty.deb');
}

const crash = async (name: string) => {
  await vps.run(
    `docker run -d --name ${name} --network none busybox sh -c 'sleep 5; exit 1' && sleep 10 && docker rm ${name}`,
  );
  return awaitMessageIn(vps, new RegExp(`${name}[\\s\\S]*exit code 1`));
};

it('is installed from a checkout, set up without a terminal, and sends an alert', async () => {
  expect(await vps.run('. /etc/os-release && echo $VERSION_ID')).toBe('13\n');
  await vps.run(
    `mkdir /root/checkout && tar -C /root/checkout -xzf /opt/vpsmon.tgz && cd /root/checkout &&
     (umask 077; echo ${TOKEN} >/root/token) && node bin/vpsmon.js install &&
     sed -i 's|^TELEGRAM_API_ROOT=.*|TELEGRAM_API_ROOT=http://127.0.0.1:8081|' /etc/vpsmon/monitor.conf &&
     vpsmon setup --token-file /root/token --chat-id ${CHAT}`,
    600_000,
  );
  await checkedIn(vps);
  expect(await crash('first')).toContain('Stopped');
});

it('the package takes over in 100 MB: the units and the program go, settings, incidents and silences stay', async () => {
  await vps.run('vpsmon silence all 1h --reason upgrade && rm -rf /root/checkout');
  const conf = await vps.run('cat /etc/vpsmon/monitor.conf');
  await inHundredMb(vps, 'dpkg -i', 'dpkg -i ./vpsmon.deb', "dpkg-query -W -f '${Installed-Size}' vpsmon");
  expect(await vps.run('cat /etc/vpsmon/monitor.conf')).toBe(conf);
  expect(await vps.run('readlink -f "$(command -v vpsmon)"')).toBe('/usr/bin/vpsmon\n');
  expect((await vps.try('ls -d /usr/local/lib/vpsmon /etc/systemd/system/vps-monitor.service')).stdout).toBe(
    '',
  );
  expect(await vps.run('systemctl show -P FragmentPath vps-monitor')).toContain('/lib/systemd/system/');
  await checkedIn(vps);
  expect(await vps.run('vpsmon incidents && vpsmon silence list')).toMatch(/first[\s\S]*upgrade/);
  await vps.run('vpsmon silence end all');
  expect(await crash('second')).toContain('Stopped');
  expect((await messagesIn(vps)).filter((text) => /first[\s\S]*exit code 1/.test(text))).toHaveLength(1);
});

it('apt purge leaves nothing', async () => {
  await vps.run('DEBIAN_FRONTEND=noninteractive apt-get purge -y vpsmon', 300_000);
  expect(await leftOver(vps)).toEqual([]);
});

it('apt takes no more memory for the package than for an empty one', async () => {
  const apt = (name: string) =>
    anonymousIn(vps, `DEBIAN_FRONTEND=noninteractive apt-get install -y ./${name}.deb`);
  const [empty, whole] = [await apt('empty'), await apt('vpsmon')];
  console.log(`apt install: an empty package ${empty / 1e6} MB, vpsmon ${whole / 1e6} MB`);
  expect(whole).toBeLessThan(empty + 10e6);
  await checkedIn(vps);
  await vps.run('DEBIAN_FRONTEND=noninteractive apt-get purge -y vpsmon empty', 300_000);
  expect(await leftOver(vps)).toEqual([]);
});

it('tar xf && ./vpsmon/install.sh takes less than 100 MB; uninstall --purge leaves nothing', async () => {
  await inHundredMb(
    vps,
    'install.sh',
    'tar xf vpsmon.tar.xz && ./vpsmon/install.sh',
    'du -sk /usr/local/lib/vpsmon | cut -f1',
  );
  await checkedIn(vps);
  await vps.run('vpsmon uninstall --purge');
  expect(await leftOver(vps)).toEqual([]);
});
