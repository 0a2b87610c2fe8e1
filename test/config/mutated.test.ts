import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { renderProblems } from '../../src/outputs/terminal/problems.ts';
import { random } from '../helpers/random.ts';

const repo = fileURLToPath(new URL('../..', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'vpsmon-mutated-'));
afterAll(() => rmSync(dir, { recursive: true }));

const SECRETS = [
  '1234567890:AAEabcdefGHIjklMNOpqrsTUVwxyz_0123456',
  'hunter2-hunter2-hunter2',
  'wahakey00112233445566',
];
const CONF =
  readFileSync(join(repo, 'monitor.conf.example'), 'utf8') +
  `TELEGRAM_BOT_TOKEN="${SECRETS[0]}"\nTELEGRAM_CHAT_ID=-1001\nPOSTGRES_PASSWORD='${SECRETS[1]}'\nWAHA_API_KEY=${SECRETS[2]}\n`;
const YAML = `settings:
  TELEGRAM_BOT_TOKEN: "${SECRETS[0]}"
  TELEGRAM_CHAT_ID: -1001
  POSTGRES_PASSWORD: '${SECRETS[1]}'
  WAHA_API_KEY: ${SECRETS[2]}
services:
  - name: n8n
    cooldown_minutes: 30
    mute: [started, redeployed]
    memory_warning_mb: 400
sql_metrics:
  - { name: orders_open, help: "Open orders.", query: SELECT 1 }
n8n: { low_priority_tag: &later later, queues: [*later] }
recovery:
  calm_minutes: 20
silences:
  - { subject: all, days: [sun, mon], from: 02:00, to: 03:30 }
`;

const HOSTILE = [
  ...'"\'\\#=: []{}*&!%@`|>-\n\r\t\u0000\u202e\ufffd😀',
  ...'\u001b[31m|$(reboot)|<<|? |---\n|...|!!js/function |__proto__|NaN|1e9|0x10|null|true'.split('|'),
  '99999999999999999999',
  'é'.repeat(300),
];

function mutate(text: string, below: (n: number) => number): string {
  let result = text;
  for (let i = 0, changes = 1 + below(6); i < changes; i += 1) {
    const at = below(result.length + 1);
    const length = below(4) === 0 ? below(120) : below(3);
    const piece = HOSTILE[below(HOSTILE.length)] ?? '';
    const kind = below(5);
    if (kind === 0) result = result.slice(0, at) + piece + result.slice(at);
    else if (kind === 1) result = result.slice(0, at) + result.slice(at + length);
    else if (kind === 2) result = result.slice(0, at) + piece + result.slice(at + length);
    else if (kind === 3) result = result.slice(0, at) + result.slice(at, at + length * 3) + result.slice(at);
    else result = result.slice(0, at) + piece.repeat(1 + below(40)) + result.slice(at);
  }
  return result;
}

test('1,000 mutated files: always a configuration or clear problems, never a secret', async () => {
  const below = random(20250716);
  let usable = 0;
  for (let i = 0; i < 1000; i += 1) {
    const [name, other, original] =
      i % 2 === 0 ? ['monitor.conf', 'vpsmon.yaml', CONF] : ['vpsmon.yaml', 'monitor.conf', YAML];
    const text = mutate(original, below);
    rmSync(join(dir, other), { force: true });
    writeFileSync(join(dir, name), text, { mode: 0o600 });
    const loaded = await loadConfig({ env: {}, cwd: dir, uid: 0, etcDir: join(dir, 'etc') });
    const problems = 'problems' in loaded ? loaded.problems : loaded.config.warnings;
    if ('config' in loaded) usable += 1;
    else expect(problems.some((p) => p.level === 'error')).toBe(true);

    const seen = renderProblems(problems);
    const about = `file ${i}: ${seen}`;
    for (const secret of SECRETS) {
      // Half of a secret is a secret, too.
      expect(seen.includes(secret.slice(0, 12)), about).toBe(false);
      expect(seen.includes(secret.slice(-12)), about).toBe(false);
    }
    expect(seen, about).not.toMatch(/undefined|\[object|TypeError|RangeError|    at /);
    // oxlint-disable-next-line no-control-regex -- no control character may reach the terminal
    expect(seen, about).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
    for (const problem of problems) expect(problem.text.length, about).toBeGreaterThan(8);
  }
  // The mutations are neither harmless nor fatal every time.
  expect(usable).toBeGreaterThan(100);
  expect(usable).toBeLessThan(900);
});

test.each([
  ['brackets', '['],
  ['braces', '{a: '],
  ['list marks', '- '],
  ['keys', 'a:\n'],
  ['question marks', '? '],
  ['quotes', '"'],
  ['anchors', '&a '],
  ['aliases', '- *a\n'],
  ['directives', '%YAML 1.2\n'],
  ['documents', '---\n'],
  ['tags', '!!map '],
  ['block scalars', 'a: |\n'],
  ['comments', '#\n'],
  ['services that are all of them', 'services: &a [*a]\n'],
  ['a list of aliases', '- &a b\n- *a\n'],
])('vpsmon.yaml of nothing but %s ends within seconds', async (_name, piece) => {
  rmSync(join(dir, 'monitor.conf'), { force: true });
  const text = piece.repeat(40_000 / piece.length);
  writeFileSync(join(dir, 'vpsmon.yaml'), text, { mode: 0o600 });
  const loaded = await loadConfig({ env: {}, cwd: dir, uid: 0, etcDir: join(dir, 'etc') });
  const problems = 'problems' in loaded ? loaded.problems : loaded.config.warnings;
  expect(renderProblems(problems).split('\n').length).toBeLessThan(105);
});
