import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { gzipSync } from 'node:zlib';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forecastReplay } from '../../src/commands/forecast-replay.ts';
import { vpsmon } from '../helpers/daemon.ts';

let dir: string;
beforeAll(() => void (dir = mkdtempSync(join(tmpdir(), 'vpsmon-forecast-'))));
afterAll(() => rmSync(dir, { recursive: true }));

function file(name: string, lines: string[]): string {
  const path = join(dir, name);
  writeFileSync(path, lines.join('\n'));
  return path;
}

describe('vpsmon forecast --replay', () => {
  it('prints announcements and hourly forecasts as JSON, and as text', async () => {
    const lines = Array.from({ length: 2400 }, (_, i) => `${1_767_225_600 + i * 60},${400 + i}`);
    const args = [
      'forecast',
      '--replay',
      file('leak.csv', ['timestamp,value', ...lines]),
      '--capacity',
      '4e3',
    ];
    const { code, stdout, stderr } = await vpsmon([...args, '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const data = JSON.parse(stdout) as { announcements: Record<string, unknown>[]; forecasts: object[] };
    expect(Object.keys(data)).toEqual(['announcements', 'forecasts']);
    expect(data.announcements).toHaveLength(1);
    expect(data.announcements[0]).toMatchObject({ severity: 'warning' });
    expect(data.announcements[0]!['rate_bytes_per_hour']).toBeCloseTo(60, 1);
    expect(Object.keys(data.announcements[0]!)).toEqual(['at', 'full_at', 'severity', 'rate_bytes_per_hour']);
    expect(data.forecasts.length).toBeGreaterThan(12);
    expect((await vpsmon(args)).stdout).toMatch(
      /warning: grows 60 bytes? an hour|warning: grows 60 B an hour/,
    );
  });

  it('breaks no date on a terminal of 80 columns', () => {
    const lines = Array.from({ length: 2400 }, (_, i) => `${1_767_225_600 + i * 60},${500 + i}`);
    const replay = file('narrow.csv', lines);
    let printed = '';
    const out = (text: string) => void (printed += text);
    const io = { out, err: out, color: false, columns: 80, wrapAt: 80 };
    expect(forecastReplay({ replay, capacity: '4000' }, io)).toBe(0);
    expect(printed).toContain('full in');
    expect(printed.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });

  it.each([
    [['--replay', '/nowhere.csv', '--capacity', '5'], '/nowhere.csv does not exist'],
    [['--replay', '/nowhere.csv', '--capacity', '-5'], '--capacity expects a number of bytes above 0'],
    [['--capacity', '5'], 'expects --replay FILE.csv'],
    [['--replay', '', '--capacity', '5'], 'expects --replay FILE.csv, the name of a file'],
  ])('%j is refused', async (args, error) => {
    const { code, stdout, stderr } = await vpsmon(['forecast', ...args]);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toContain(error);
  });

  it('names the file and the line of what it cannot read', async () => {
    const path = file('bad.csv', ['timestamp,value', '1767225600,1', 'x,1']);
    const { code, stderr } = await vpsmon(['forecast', '--replay', path, '--capacity', '5']);
    expect(code).toBe(3);
    expect(stderr).toContain(`${path}, line 3`);
  });

  it('says how to unpack what is compressed', async () => {
    const path = join(dir, 'used.csv.gz');
    writeFileSync(path, gzipSync('timestamp,value\n1767225600,1\n'));
    const { code, stdout, stderr } = await vpsmon(['forecast', '--replay', path, '--capacity', '5']);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toContain(`${path} is compressed: unpack it first, with gunzip.`);
    writeFileSync(path, 'BZh is how this text begins\n1767225600,1\n');
    expect((await vpsmon(['forecast', '--replay', path, '--capacity', '5'])).stderr).not.toContain('unpack');
  });
});
