// The Debian package on a machine with nothing but the base system, from the README alone: two commands, no editor, no Node.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fiveMinutesPage, screen, withoutChance, type Seen } from '../helpers/five-minutes.ts';
import {
  bootVps,
  CHAT,
  checkedIn,
  downAll,
  hasAll,
  importBusybox,
  inHundredMb,
  leftOver,
  keepSeen,
  messagesIn,
  propertyIn,
  putArchive,
  startTelegramIn,
  awaitMessageIn,
  TOKEN,
  type VpsMachine,
} from '../helpers/vps-machine.ts';

let vps: VpsMachine;
const seen: Seen = { apt: '', setup: '', messages: [], status: '' };
const folder = mkdtempSync(join(tmpdir(), 'vpsmon-package-'));
const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
const LATER = '9.9.9';

beforeAll(async () => {
  execFileSync(process.execPath, ['scripts/release.js', '--quick', join(folder, 'files'), 'x64'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const made = readdirSync(join(folder, 'files'));
  const deb = made.find((name) => name.endsWith('.deb'))!;
  const archive = made.find((name) => name.endsWith('.tar.xz'))!;
  const file = join(folder, 'files', deb);
  writeFileSync(join(folder, 'later.deb'), later(file));
  vps = await bootVps();
  await vps.put(file, `/root/${deb}`);
  await vps.put(join(folder, 'later.deb'), '/root/later.deb');
  await putArchive(vps, join(folder, 'files', archive));
  await startTelegramIn(vps);
  await importBusybox(vps);
  // The stand-in keeps its Node; on the PATH there is none, as on a fresh server.
  await vps.run(`mkdir /opt/node && cp /usr/local/bin/node /opt/node/ && rm -rf /usr/local/bin/node /usr/local/bin/npm /usr/local/bin/npx /usr/local/lib/node_modules
    sed -i 's|/usr/local/bin/node|/opt/node/node|' /etc/systemd/system/standin.service && systemctl daemon-reload && systemctl restart standin`);
});
afterAll(async () => {
  await downAll();
  rmSync(folder, { recursive: true, force: true });
});

/** The same package as another version: what the program says of itself is changed in its bundle, too. */
function later(deb: string): Buffer {
  const tree = join(folder, 'tree');
  execFileSync('dpkg-deb', ['-R', deb, tree]);
  const dist = join(tree, 'usr/lib/vpsmon/dist');
  const edit = (path: string) => {
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replaceAll(version, LATER));
  };
  edit(join(tree, 'DEBIAN/control'));
  edit(join(tree, 'usr/lib/vpsmon/package.json'));
  for (const name of readdirSync(dist)) if (name.endsWith('.js')) edit(join(dist, name));
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zxz', '-z0', '-b', tree, join(folder, 'built.deb')], {
    stdio: 'ignore',
  });
  return readFileSync(join(folder, 'built.deb'));
}

const active = () => vps.until('systemctl is-active vps-monitor', (text) => text.trim() === 'active');
const checked = () => checkedIn(vps);

describe('five minutes', () => {
  it('apt install ./vpsmon_*.deb: needs neither network nor Node nor more than 100 MB, and starts the monitor', async () => {
    expect((await vps.try('command -v node')).stdout).toBe('');
    await inHundredMb(
      vps,
      'apt install',
      `DEBIAN_FRONTEND=noninteractive apt-get install -y ./vpsmon_${version}_amd64.deb 2>&1 | tee /root/apt; exit \${PIPESTATUS[0]}`,
      "dpkg -L vpsmon | xargs -d '\\n' stat -c '%F %b' | awk '/^regular/ { sum += $NF } END { print int(sum / 2) }'",
    );
    const printed = await vps.run('cat /root/apt');
    seen.apt = screen(printed.slice(printed.indexOf('Selecting previously unselected package vpsmon')));
    await active();
    expect((await vps.run('stat -c %a /etc/vpsmon/monitor.conf')).trim()).toBe('600');
  });

  it('vpsmon setup: pairs the phone by the code, and the running monitor takes the settings over', async () => {
    // Where Telegram is, in here.
    await vps.run('echo TELEGRAM_API_ROOT=http://127.0.0.1:8081 >>/etc/vpsmon/monitor.conf');
    const pid = await propertyIn(vps, 'MainPID');
    // A terminal, and somebody who types each answer when its question stands there, and presses Start on the phone.
    const out = await vps.run(
      `cd /root && mkfifo keys || exit 1
       (script -qfec 'stty cols 80 rows 40; env TERM=xterm vpsmon setup' /root/seen <keys >/dev/null 2>&1; echo $? >/root/code) &
       exec 9>/root/keys
       shown() { for i in $(seq 600); do grep -qa "$1" /root/seen 2>/dev/null && return; sleep 0.5; done; cat /root/seen; exit 1; }
       shown 'Token of the bot'; sleep 1; printf '%s\\r' '${TOKEN}' >&9
       shown 'start=[A-Za-z0-9_-]*[^A-Za-z0-9_-]'; code=$(grep -ao 'start=[A-Za-z0-9_-]*' /root/seen | head -1 | cut -d= -f2)
       curl -s -X POST http://127.0.0.1:8081/standin/update -d '{"message_id":1,"date":1,"chat":{"id":${CHAT},"type":"supergroup","title":"Ops"},"from":{"id":4711,"is_bot":false,"first_name":"Ada"},"text":"/start '$code'"}'
       shown 'Name of this server'; sleep 1; printf 'shop\\r' >&9
       shown 'recovery act'; sleep 1; printf 'n\\r' >&9
       shown 'Let them do that'; sleep 1; printf 'n\\r' >&9
       for i in $(seq 600); do [ -s /root/code ] && break; sleep 0.5; done
       exec 9>&-; cat /root/code /root/seen`,
    );
    const shown = screen(out);
    seen.setup = /^vpsmon writes to you[^]*?^The monitor reads.*$/m.exec(shown)?.[0] ?? shown;
    expect(out).toContain('█');
    expect(out).toMatch(/Start was pressed by Ada/);
    expect(out).toContain('Written: /etc/vpsmon/monitor.conf (mode 0600)');
    expect(out).not.toContain(TOKEN.slice(-20));
    expect((await messagesIn(vps))[0]).toContain('vpsmon is set up');
    const conf = await vps.run('cat /etc/vpsmon/monitor.conf');
    expect(conf).toContain("SERVER_NAME='shop'");
    expect(conf).toMatch(/^ENABLE_AUTO_RECOVERY='?false/m);
    // Reloaded, not started anew.
    expect(await propertyIn(vps, 'MainPID')).toBe(pid);
  });

  it('a container that dies is on the phone, with its cause', async () => {
    // The monitor has the new settings: it has given Telegram the commands of the bot.
    await vps.until('curl -s http://127.0.0.1:8081/standin/calls', hasAll(/setMyCommands/i));
    await checked();
    // It lives until its start is on the phone: on a slow machine that is more than the five seconds of the page.
    await vps.run(
      `docker run -d --name crash-test --network none busybox sh -c 'until [ -f /go ]; do sleep 1; done; exit 1'`,
    );
    await awaitMessageIn(vps, /Service Started[\s\S]*crash-test/);
    await vps.run("touch /proc/$(docker inspect -f '{{.State.Pid}}' crash-test)/root/go");
    const message = await awaitMessageIn(vps, /crash-test[\s\S]*exit code 1/);
    expect(message).toContain('Stopped');
    seen.messages = (await messagesIn(vps)).filter((text) => /set up|crash-test/.test(text));
    seen.status = (await vps.try('COLUMNS=80 vpsmon status')).stdout;
    await vps.run('docker rm crash-test');
  });

  it('docs/first-five-minutes.md shows what was seen', () => {
    const page = fiveMinutesPage(seen);
    keepSeen('first-five-minutes.md', page);
    expect(withoutChance(page)).toBe(withoutChance(readFileSync('docs/first-five-minutes.md', 'utf8')));
  });

  it('brings man pages and completion along', async () => {
    expect(
      await vps.run(
        `zcat /usr/share/man/man1/vpsmon.1.gz | head -1; bash -c '. /usr/share/bash-completion/completions/vpsmon
         COMP_WORDS=(vpsmon incidents show ""); COMP_CWORD=3; _vpsmon; printf "id %s\\n" "\${COMPREPLY[@]}"'`,
      ),
    ).toMatch(/\.TH VPSMON 1[\s\S]*id \d/);
  });
});

describe('another version', () => {
  it('deb to deb: settings and history stay; U15: the older one put back says so', async () => {
    const conf = await vps.run('sha256sum /etc/vpsmon/monitor.conf');
    await vps.run('DEBIAN_FRONTEND=noninteractive apt-get install -y /root/later.deb');
    await checked();
    expect(await vps.run('vpsmon --version')).toBe(`${LATER}\n`);
    expect(await vps.run('sha256sum /etc/vpsmon/monitor.conf')).toBe(conf);
    expect(await vps.run('vpsmon incidents')).toContain('crash-test');
    const count = (await messagesIn(vps)).length;
    const out = await vps.run(
      `DEBIAN_FRONTEND=noninteractive apt-get install -y --allow-downgrades /root/vpsmon_${version}_amd64.deb 2>&1`,
    );
    expect(out).toContain('downgrading');
    await checked();
    expect(
      await awaitMessageIn(
        vps,
        new RegExp(`was used by vpsmon ${LATER}.*this is the older ${version}`),
        count,
      ),
    ).toBeTruthy();
    expect(await vps.run('vpsmon incidents')).toContain('crash-test');
  });
});

describe('removed', () => {
  it('apt remove keeps settings and history, apt purge leaves nothing', async () => {
    await vps.run('DEBIAN_FRONTEND=noninteractive apt-get remove -y vpsmon');
    expect((await vps.try('systemctl is-active vps-monitor')).stdout.trim()).not.toBe('active');
    expect(await vps.run('ls /etc/vpsmon /var/lib/vpsmon')).toMatch(/monitor\.conf[\s\S]*vpsmon\.db/);
    await vps.run('DEBIAN_FRONTEND=noninteractive apt-get purge -y vpsmon');
    expect(await leftOver(vps)).toEqual([]);
  });
});

describe('the archive', () => {
  it('tar xf && ./vpsmon/install.sh: needs neither Node nor more than 100 MB; uninstall --purge leaves nothing', async () => {
    await inHundredMb(
      vps,
      'install.sh',
      'tar xf vpsmon.tar.xz && ./vpsmon/install.sh',
      'du -sk /usr/local/lib/vpsmon | cut -f1',
    );
    await vps.run('rm -r /root/vpsmon');
    await active();
    await checked();
    expect(await vps.run('vpsmon --version')).toBe(`${version}\n`);
    await vps.run('vpsmon uninstall --purge');
    expect(await leftOver(vps)).toEqual([]);
  });
});
