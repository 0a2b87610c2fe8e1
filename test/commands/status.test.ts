import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { status } from '../../src/commands/status.ts';
import type { CommandContext } from '../../src/commands/context.ts';
import type { Incident } from '../../src/model/incident.ts';
import { saveIncidents } from '../../src/store/incidents.ts';
import { openStore } from '../../src/store/open.ts';
import { openMachine } from '../../src/system/machine.ts';
import { commandContext, configWith } from '../helpers/command.ts';

let base: string;
let stateDir: string;
let server: Server | undefined;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'vpsmon-status-'));
  stateDir = join(base, 'state');
  mkdirSync(join(base, 'host/run/systemd/system'), { recursive: true });
});
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
  rmSync(base, { recursive: true, force: true });
});

/** What systemctl shows of a machine where all is well; `change` says what is not. */
function systemctl(change: Record<string, string> = {}): CommandContext['run'] {
  return async (_file, args) => {
    const blocks = args
      .filter((arg) => arg.startsWith('vps-'))
      .map((name) => {
        const runs = name === 'vps-monitor.service' || name.endsWith('.timer');
        const shown = {
          Id: name,
          LoadState: 'loaded',
          ActiveState: runs ? 'active' : 'inactive',
          UnitFileState: runs ? 'enabled' : 'static',
          Result: 'success',
          ...(name === 'vps-monitor.service' ? { MemoryCurrent: '20971520', ...change } : {}),
        };
        return Object.entries(shown)
          .map(([key, value]) => `${key}=${value}`)
          .join('\n');
      });
    return { exitCode: 0, stdout: blocks.join('\n\n'), stderr: '' };
  };
}

/** A monitor on its socket in the state folder, or on a port, whose address is returned. */
async function answering(body: unknown, path?: string): Promise<string> {
  server = createServer((_request, response) => void response.end(JSON.stringify(body)));
  await new Promise<void>((resolve) =>
    path ? server?.listen(path, resolve) : server?.listen(0, '127.0.0.1', resolve),
  );
  const address = server.address();
  return typeof address === 'object' && address ? `127.0.0.1:${address.port}` : '';
}

const onSocket = (body: unknown) => answering(body, join(stateDir, 'monitor.sock'));

const HEALTHY = {
  status: 'healthy',
  reasons: [],
  version: 'dev',
  services_monitored: 7,
  last_check: { age_seconds: 12, took_ms: 30 },
};

function incident(): Incident {
  return {
    id: 1,
    rule: 'disk',
    subject: '/',
    state: 'firing',
    severity: 'critical',
    openedAt: Date.now() - 7_200_000,
    firedAt: Date.now() - 7_200_000,
    lastSeenAt: Date.now(),
    text: 'Disk / is 93 % full, above 90 %',
    details: [],
    notified: { count: 1 },
    flips: [],
    flapping: false,
    actions: [],
  };
}

async function show(
  options: { json?: boolean; change?: Record<string, string>; listen?: string; more?: object } = {},
) {
  const config = configWith(
    {
      HTTP_LISTEN: options.listen ?? '',
      TELEGRAM_BOT_TOKEN: '1:a',
      TELEGRAM_CHAT_ID: '1',
      SERVER_NAME: 'shop',
    },
    { stateDir },
  );
  const recorded = commandContext(
    config,
    { stateDir, ...(options.json ? { json: true } : {}) },
    { run: systemctl(options.change) },
  );
  const code = await status(recorded.context, openMachine(join(base, 'host')));
  return { code, out: recorded.out() };
}

describe('status', () => {
  it('says that all is well', async () => {
    openStore(stateDir, Date.now()).close();
    await onSocket(HEALTHY);
    const { code, out } = await show();
    // As in messages.
    expect(out).toMatch(/^shop {2}vpsmon /);
    expect(out).toMatch(/ok {3}vps-monitor\.service +runs, 20 MB/);
    expect(out).toMatch(/ok {3}monitor +last check 12 s ago, took 30 ms, 7 containers watched/);
    expect(out).toMatch(/ok {3}messages +0 sent, none waiting/);
    expect(out).toContain('No open incidents.');
    expect(code).toBe(0);
  });

  it('R4: does not believe who merely listens on the port of the monitor', async () => {
    openStore(stateDir, Date.now()).close();
    const listen = await answering(HEALTHY);
    const { code, out } = await show({ listen });
    expect(out).toMatch(/FAIL {2}monitor +is started, but does not answer \(none uses/);
    expect(out).not.toContain('7 containers watched');
    expect(code).toBe(2);
  });

  it('shows open incidents, and what the monitor complains about', async () => {
    const store = openStore(stateDir, Date.now());
    saveIncidents(store.db, [incident()]);
    await onSocket({ ...HEALTHY, status: 'degraded', reasons: ['redis cannot be read: refused'] });
    const { code, out } = await show();
    expect(out).toContain('Open incidents (1)');
    expect(out).toMatch(/CRITICAL {2}Disk \/ is 93 % full, above 90 % \(#\d+, for 2 h\)/);
    expect(out).toMatch(/WARN {2}monitor +last check .*redis cannot be read: refused/);
    expect(code).toBe(1);
    store.close();
  });

  it.each([
    [{ state: 'ok', why: null }, /ok {3}docker events +are followed/, 0],
    [
      { state: 'failed', why: 'held back for 5 s' },
      /FAIL {2}docker events +cannot be followed: held back for 5 s/,
      2,
    ],
    [{ state: 'absent', why: 'no Docker here' }, /ok {3}docker events +are not followed: no Docker here/, 0],
  ])('S4: shows the event stream as a source of its own: %o', async (docker_events, expected, exit) => {
    openStore(stateDir, Date.now()).close();
    await onSocket({ ...HEALTHY, docker_events });
    const { code, out } = await show();
    expect(out).toMatch(expected);
    expect(code).toBe(exit);
  });

  it('says what to do when the monitor does not run', async () => {
    openStore(stateDir, Date.now()).close();
    const { code, out } = await show({ change: { ActiveState: 'failed', Result: 'oom-kill' } });
    expect(out).toMatch(
      /FAIL {2}vps-monitor\.service +does not run \(failed, last end: it was killed because memory ran out\)/,
    );
    expect(out).toContain('-> systemctl enable --now vps-monitor.service');
    expect(code).toBe(2);
  });

  it('never disturbs the database: a broken one stays where it is', async () => {
    mkdirSync(stateDir);
    writeFileSync(join(stateDir, 'vpsmon.db'), 'not a database at all, but rather long'.repeat(40));
    const { out } = await show();
    expect(out).toMatch(/WARN {2}state +.*vpsmon\.db cannot be opened/);
    expect(readdirSync(stateDir)).toEqual(['vpsmon.db']);
  });

  it('creates nothing where nothing was kept yet', async () => {
    const { out } = await show();
    expect(out).toMatch(/WARN {2}state +.*does not exist yet/);
    expect(existsSync(stateDir)).toBe(false);
  });

  it('prints JSON with a documented shape', async () => {
    openStore(stateDir, Date.now()).close();
    const { out } = await show({ json: true });
    const json = JSON.parse(out);
    expect(json).toMatchObject({
      version: 1,
      open_incidents: [],
      delivery: { configured: true, waiting: 0, sent: 0 },
    });
    expect(json.units).toHaveLength(7);
    expect(json.units[0]).toMatchObject({
      name: 'vps-monitor.service',
      active: 'active',
      memory_bytes: 20_971_520,
    });
  });
});
