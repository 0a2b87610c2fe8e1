import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BIN } from '../helpers/daemon.ts';
import { startTelegram } from '../standins/telegram.js';

it('setup writes into a monitor.conf that is mounted by itself, as `docker run -v FILE:FILE` does', async () => {
  const telegram = await startTelegram();
  const dir = mkdtempSync(join(tmpdir(), 'vpsmon-setup-'));
  const [outside, conf, token] = ['outside', 'monitor.conf', 'token'].map((name) => join(dir, name));
  try {
    writeFileSync(outside!, `# kept\nTELEGRAM_API_ROOT=${telegram.url}\n`);
    writeFileSync(conf!, '');
    writeFileSync(token!, telegram.token, { mode: 0o600 });
    const setup = `${process.execPath} ${BIN} setup --config ${conf} --state-dir ${dir}/state --chat-id ${telegram.chatId} --token-file ${token}`;
    const script = `mount --bind ${outside} ${conf} && exec ${setup}`;
    const stderr = await new Promise((done) => {
      execFile('unshare', ['--mount', 'sh', '-c', script], (_error, _out, text) => done(text));
    });
    expect(stderr).toBe('');
    expect(readFileSync(outside!, 'utf8')).toBe(
      `# kept\nTELEGRAM_API_ROOT=${telegram.url}\nTELEGRAM_BOT_TOKEN='${telegram.token}'\nTELEGRAM_CHAT_ID='${telegram.chatId}'\n`,
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
    await telegram.close();
  }
});
