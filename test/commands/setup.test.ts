import { execFile, execFileSync, spawn } from 'node:child_process';
import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GlobalOptions } from '../../src/commands/context.ts';
import { Interrupted, type Ask } from '../../src/commands/prompt.ts';
import { setup, setupTarget } from '../../src/commands/setup.ts';
import { drawsBlocks, type SetupOptions, type SetupPlace } from '../../src/commands/setup-questions.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Config, Settings } from '../../src/config/schema.ts';
import { qrCode } from '../../src/outputs/terminal/qr.ts';
import type { Run } from '../../src/system/types.ts';
import { commandContext, configWith } from '../helpers/command.ts';
import { BIN, until, vpsmon } from '../helpers/daemon.ts';
import { screen, withoutChance } from '../helpers/five-minutes.ts';
import { startTelegram, type Telegram } from '../standins/telegram.js';

const ADA = { id: 42, type: 'private' as const, first_name: 'Ada' };
let telegram: Telegram;
let dir: string;
let conf: string;
beforeEach(async () => {
  telegram = await startTelegram();
  dir = mkdtempSync(join(tmpdir(), 'vpsmon-setup-'));
  conf = join(dir, 'monitor.conf');
});
afterEach(async () => {
  await telegram.close();
  rmSync(dir, { recursive: true, force: true });
});

const START = `# kept\nTELEGRAM_API_ROOT=URL\nexport MEMORY_WARNING_MB="120" # kept, too\n`;
const begin = () => writeFileSync(conf, START.replace('URL', telegram.url), { mode: 0o644 });

/** Answers each question by its beginning; a question that nobody expected interrupts, as Ctrl-C does. */
function answering(answers: [RegExp, string][]): Ask & { asked: string[] } {
  const left = [...answers];
  const asked: string[] = [];
  const answer = async (question: string) => {
    asked.push(question);
    const [pattern, text] = left.shift() ?? [];
    if (!pattern?.test(question)) throw new Interrupted(`nobody answers: ${question}`);
    return text!;
  };
  return { line: answer, secret: answer, asked };
}

const NIGHT_WATCH = { id: -100_123, type: 'supergroup' as const, title: 'Night watch' };
/** The bot's group is there; the answers of who sets it up for that. */
function inGroup(topics: number[] = []): Ask & { asked: string[] } {
  telegram.setChat({ ...NIGHT_WATCH, topics });
  return answering([
    [/Token/, telegram.token],
    [/Name/, ''],
    [/recovery/, 'n'],
    [/do that, too/, ''],
  ]);
}

async function run(
  ask: Ask | undefined,
  given: SetupOptions = {},
  settings: Partial<Settings> = {},
  onOut: (text: string) => void = () => undefined,
  more: { place?: Partial<SetupPlace>; run?: Run; options?: GlobalOptions } = {},
) {
  let [out, err] = ['', ''];
  const config = configWith({ TELEGRAM_API_ROOT: telegram.url, ...settings });
  const { context } = commandContext(config, more.options ?? {}, {
    io: {
      out(text) {
        out += `${text}\n`;
        onOut(text);
      },
      err: (text) => void (err += `${text}\n`),
      color: false,
      columns: 80,
    },
    ...(more.run ? { run: more.run } : {}),
    system: { root: true },
  });
  let finished = 0;
  const code = await setup(context, given, {
    target: conf,
    ask,
    systemd: false,
    installed: '/etc/vpsmon/monitor.conf',
    drawsBlocks: true,
    waitMs: 100_000,
    stopped: new AbortController().signal,
    install: async () => 0,
    finish: async () => void (finished += 1),
    ...more.place,
  });
  return { code, out, err, finished };
}

/** Presses Start as soon as the link is shown. */
function pressStart(chat: Parameters<Telegram['write']>[0]) {
  return (text: string) => {
    const code = /\?start=([\w-]+)/.exec(text)?.[1];
    if (code === undefined) return;
    telegram.write(chat, '/start');
    telegram.write({ id: 666, type: 'private' }, '/start wrong-code');
    telegram.write(chat, `/start ${code}`);
  };
}

describe('vpsmon setup', () => {
  it('recognises who pressed Start by the code, sends the test message and writes monitor.conf', async () => {
    begin();
    telegram.setChat(ADA);
    const ask = answering([
      [/Token/, telegram.token],
      [/Name of this server/, 'Shop 1'],
      [/recovery act/, 'y'],
      [/do that, too/, 'y'],
    ]);
    const { code, out, err, finished } = await run(ask, {}, {}, pressStart(ADA));
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('https://t.me/standin_bot?start=');
    expect(out).toContain('https://t.me/standin_bot?startgroup=');
    expect(out).toContain('(user 777)');
    expect(out).not.toContain(telegram.token);
    expect(telegram.sent).toMatchObject([
      { chatId: '42', plain: expect.stringContaining('Server: Shop 1') as string },
    ]);
    const text = readFileSync(conf, 'utf8');
    expect(text.startsWith(START.replace('URL', telegram.url))).toBe(true);
    expect(statSync(conf).mode & 0o777).toBe(0o600);
    expect(finished).toBe(1);
    const shown = JSON.parse((await vpsmon(['config', 'show', '--json', '--config', conf])).stdout) as {
      settings: Record<string, { value: unknown }>;
    };
    expect(JSON.stringify(shown)).toContain('"Shop 1"');
    expect(text).toContain(`TELEGRAM_BOT_TOKEN='${telegram.token}'`);
    expect(text).toContain(`TELEGRAM_CHAT_ID='42'`);
    expect(text).toContain(`ENABLE_AUTO_RECOVERY='true'`);
    expect(text).toContain(`TELEGRAM_ALLOWED_USERS='777'`);
    expect(text).toContain(`TELEGRAM_ACTIONS='true'`);
  });

  it('asks nothing with a file and a chat id, and changes only what was given', async () => {
    begin();
    const file = join(dir, 'token');
    writeFileSync(file, `${telegram.token}\n`, { mode: 0o600 });
    const { code, out, err } = await run(undefined, { tokenFile: file, chatId: telegram.chatId });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('The test message was sent to Ops.');
    expect(readFileSync(conf, 'utf8')).toBe(
      `${START.replace('URL', telegram.url)}TELEGRAM_BOT_TOKEN='${telegram.token}'\nTELEGRAM_CHAT_ID='${telegram.chatId}'\n`,
    );
  });

  it('asks again for a token that Telegram does not know', async () => {
    begin();
    const ask = answering([
      [/Token/, 'nonsense!'],
      [/Token/, '1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'],
      [/Token/, telegram.token],
      [/Name/, ''],
      [/recovery/, ''],
      [/do that, too/, ''],
    ]);
    const { code, out } = await run(ask, { chatId: telegram.chatId });
    expect(code).toBe(0);
    expect(out).toContain('That is no token');
    expect(out).toContain('401 Unauthorized');
    expect(readFileSync(conf, 'utf8')).toContain(`ENABLE_AUTO_RECOVERY='false'`);
    expect(readFileSync(conf, 'utf8')).not.toContain('SERVER_NAME');
  });

  it('explains a webhook and goes on by chat id', async () => {
    begin();
    telegram.setWebhook(true);
    const ask = answering([
      [/Token/, telegram.token],
      [/Id of the chat/, 'me'],
      [/Id of the chat/, '999'],
      [/Id of the chat/, telegram.chatId],
      [/Name/, ''],
      [/recovery/, 'n'],
      [/do that, too/, ''],
    ]);
    const { code, out } = await run(ask);
    expect(code).toBe(0);
    expect(out).toContain('webhook');
    expect(telegram.sent).toHaveLength(1);
  });

  it('shows what is set when it is run again, and keeps it on Enter', async () => {
    const set = {
      TELEGRAM_BOT_TOKEN: telegram.token,
      TELEGRAM_CHAT_ID: telegram.chatId,
      SERVER_NAME: 'Shop',
    };
    const text = `TELEGRAM_BOT_TOKEN=${telegram.token}\nTELEGRAM_CHAT_ID=${telegram.chatId}\nSERVER_NAME=Shop\nENABLE_AUTO_RECOVERY=false\n`;
    writeFileSync(conf, text, { mode: 0o600 });
    const ask = answering([
      [/Token/, ''],
      [/Keep it/, ''],
      [/Name of this server in messages \[Shop\]/, ''],
      [/recovery/, ''],
      [/do that, too/, ''],
    ]);
    const { code, out } = await run(ask, {}, set);
    expect(code).toBe(0);
    expect(out).toContain('is as it should be');
    expect(readFileSync(conf, 'utf8')).toBe(text);
  });

  it('changes no line on Enter, however it is written', async () => {
    const text = `TELEGRAM_BOT_TOKEN=${telegram.token}\nTELEGRAM_CHAT_ID = "${telegram.chatId}, 42"\nENABLE_AUTO_RECOVERY=yes # since May\n`;
    writeFileSync(conf, text, { mode: 0o600 });
    telegram.setChat(ADA);
    const ask = answering([
      [/Token/, ''],
      [/Keep it/, ''],
      [/Name of this server/, ''],
      [/recovery act\? \[Y/, ''],
      [/do that, too/, ''],
    ]);
    const loaded = await loadConfig({ config: conf, env: {}, cwd: dir, uid: 1, etcDir: dir });
    const { settings } = (loaded as { config: Config }).config;
    const { TELEGRAM_BOT_TOKEN, TELEGRAM_CHAT_ID, ENABLE_AUTO_RECOVERY } = settings;
    const { code } = await run(ask, {}, { TELEGRAM_BOT_TOKEN, TELEGRAM_CHAT_ID, ENABLE_AUTO_RECOVERY });
    expect(code).toBe(0);
    expect(readFileSync(conf, 'utf8')).toBe(text);
  });

  it('changes one line where one answer is another', async () => {
    const text = `TELEGRAM_BOT_TOKEN=${telegram.token}\nTELEGRAM_CHAT_ID=${telegram.chatId}\nSERVER_NAME=Shop\nENABLE_AUTO_RECOVERY=no\n`;
    writeFileSync(conf, text, { mode: 0o600 });
    const ask = answering([
      [/Token/, ''],
      [/Keep it/, ''],
      [/Name of this server in messages \[Shop\]/, 'Shop 2'],
      [/recovery/, ''],
      [/do that, too/, ''],
    ]);
    const set = {
      TELEGRAM_BOT_TOKEN: telegram.token,
      TELEGRAM_CHAT_ID: telegram.chatId,
      SERVER_NAME: 'Shop',
      ENABLE_AUTO_RECOVERY: false,
    };
    expect((await run(ask, {}, set)).code).toBe(0);
    expect(readFileSync(conf, 'utf8')).toBe(text.replace('SERVER_NAME=Shop', "SERVER_NAME='Shop 2'"));
  });

  it('leaves what was before when it is interrupted at any question', async () => {
    begin();
    telegram.setChat(ADA);
    const answers: [RegExp, string][] = [
      [/Token/, telegram.token],
      [/Name/, ''],
      [/recovery/, 'y'],
      [/do that, too/, ''],
    ];
    for (let count = 0; count < answers.length; count += 1) {
      const { code, err } = await run(answering(answers.slice(0, count)), {}, {}, pressStart(ADA));
      expect({ code, err }).toEqual({ code: 3, err: 'Nothing was changed.\n' });
    }
    expect(readFileSync(conf, 'utf8')).toBe(START.replace('URL', telegram.url));
    expect(readdirSync(dir)).toEqual(['monitor.conf']);
  });

  it.each<[string, SetupOptions, string, number]>([
    ['no token', {}, '--token-file FILE', 3],
    ['a file that is not there', { tokenFile: '/nonexistent/token', chatId: '1' }, 'does not exist', 3],
    ['a file without a name', { tokenFile: '', chatId: '1' }, '--token-file is empty', 3],
    ['a chat id that is none', { chatId: 'nobody here' }, '--chat-id: expected a number', 3],
  ])('says without a terminal what is missing: %s', async (name, given, said, code) => {
    const settings = name.startsWith('no') ? {} : { TELEGRAM_BOT_TOKEN: telegram.token };
    const result = await run(undefined, given, settings);
    expect(result.code).toBe(code);
    expect(result.err).toContain(said);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('writes nothing where the test message does not arrive', async () => {
    const result = await run(undefined, { chatId: '5' }, { TELEGRAM_BOT_TOKEN: telegram.token });
    expect(result.code).toBe(2);
    expect(result.err).toContain('chat not found');
    expect(readdirSync(dir)).toEqual([]);
  });

  it('says before the first question that the file cannot be written', async () => {
    for (const target of [join(dir, 'missing', 'monitor.conf'), '/proc/monitor.conf']) {
      const ask = answering([]);
      const { code, err } = await run(ask, {}, {}, undefined, { place: { target } });
      expect(code).toBe(2);
      expect(err).toMatch(/cannot be written: (?:its folder does not exist|this user may not write there)\./);
      expect(ask.asked).toEqual([]);
    }
    expect(readdirSync(dir)).toEqual([]);
  });

  it('takes the token out of a line of @BotFather that was pasted whole', async () => {
    const ask = answering([
      [/Token/, `Use this token: ${telegram.token} (keep it)`],
      [/Name/, ''],
      [/recovery/, ''],
      [/do that, too/, ''],
    ]);
    expect((await run(ask, { chatId: telegram.chatId })).code).toBe(0);
    expect(readFileSync(conf, 'utf8')).toContain(`TELEGRAM_BOT_TOKEN='${telegram.token}'`);
  });

  it.each<[string, (token: string) => string]>([
    ['a comment above it', (token) => `# the bot of the shop, not 123456789:short\r\n\r\n${token}\r\n`],
    ['a line of settings', (token) => `TELEGRAM_BOT_TOKEN="${token}" # ours\n`],
    ['twice the same', (token) => `${token}\n${token}`],
  ])('takes the token out of a file that has %s', async (_what, written) => {
    const file = join(dir, 'token');
    writeFileSync(file, written(telegram.token), { mode: 0o600 });
    const { code, err } = await run(undefined, { tokenFile: file, chatId: telegram.chatId });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(readFileSync(conf, 'utf8')).toContain(`TELEGRAM_BOT_TOKEN='${telegram.token}'`);
  });

  it('takes none of two tokens, and names what reads a pipe', async () => {
    const file = join(dir, 'token');
    writeFileSync(file, `${telegram.token}\n987654321:${'B'.repeat(35)}\n`, { mode: 0o600 });
    const two = await run(undefined, { tokenFile: file, chatId: telegram.chatId });
    expect(two.code).toBe(3);
    expect(two.err).toContain(`${file}: expected a bot token`);
    const device = await run(undefined, { tokenFile: '/dev/null', chatId: telegram.chatId });
    expect(device.err).toContain('/dev/null is empty');
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    const pipe = await run(undefined, { tokenFile: join(dir, 'pipe'), chatId: telegram.chatId });
    expect(pipe.err).toContain('is not a regular file: `--token-file -` reads what is piped in');
    expect(readdirSync(dir)).not.toContain('monitor.conf');
  });

  it('promises nothing that only a running monitor does, where Telegram does not answer as it should', async () => {
    begin();
    const ask = () => answering([[/Token/, telegram.token]]);
    for (const [fault, advice] of [
      [{ kind: 'reset' as const }, 'check the network, the firewall and TELEGRAM_API_ROOT'],
      [
        { kind: 'answer' as const, status: 500, body: { ok: false, error_code: 500, description: 'Oops' } },
        'If it lasts',
      ],
      [{ kind: '429' as const, retryAfter: 5 }, 'after the pause'],
    ] as const) {
      telegram.fail({ ...fault, method: 'getMe' });
      const { out } = await run(ask());
      expect(out.replaceAll('\n', ' ')).toContain(advice);
      expect(out).not.toContain('by itself');
    }
  });

  it('replaces placeholders and other mistakes in what it asks for, and stops at mistakes elsewhere', async () => {
    const args = [
      'setup',
      '--config',
      conf,
      '--state-dir',
      join(dir, 'state'),
      '--token-file',
      join(dir, 'token'),
    ];
    writeFileSync(join(dir, 'token'), telegram.token, { mode: 0o600 });
    const text = `TELEGRAM_API_ROOT=${telegram.url}\nTELEGRAM_BOT_TOKEN=your_bot_token\nTELEGRAM_CHAT_ID=<chat>\n`;
    writeFileSync(conf, text, { mode: 0o600 });
    expect((await vpsmon([...args, '--chat-id', telegram.chatId])).stderr).toBe('');
    expect(readFileSync(conf, 'utf8')).toBe(
      text.replace('your_bot_token', `'${telegram.token}'`).replace('<chat>', `'${telegram.chatId}'`),
    );
    writeFileSync(conf, `${text}LOG_LEVEL=LOUD\n`);
    const wrong = await vpsmon([...args, '--chat-id', telegram.chatId]);
    expect(wrong.code).toBe(3);
    expect(wrong.stderr).toContain(`${conf}:4: LOG_LEVEL: expected`);
    expect(readFileSync(conf, 'utf8')).toBe(`${text}LOG_LEVEL=LOUD\n`);
  });

  it('writes the new id of a group that has become a supergroup', async () => {
    telegram.setChat({ id: -55, type: 'group', title: 'Ops' });
    telegram.migrate(-55, -100_55);
    const result = await run(undefined, { chatId: '-55' }, { TELEGRAM_BOT_TOKEN: telegram.token });
    expect({ code: result.code, err: result.err }).toEqual({ code: 0, err: '' });
    expect(readFileSync(conf, 'utf8')).toContain(`TELEGRAM_CHAT_ID='-10055'`);
  });

  it('tries everything with --dry-run, and sends and writes nothing', async () => {
    begin();
    const { code, out, finished } = await run(
      undefined,
      { chatId: telegram.chatId },
      { TELEGRAM_BOT_TOKEN: telegram.token },
      undefined,
      { options: { dryRun: true } },
    );
    expect({ code, finished }).toEqual({ code: 0, finished: 0 });
    expect(out).toContain(`  TELEGRAM_CHAT_ID=${telegram.chatId}\n`);
    expect(out).not.toContain(telegram.token);
    expect(telegram.sent).toEqual([]);
    expect(readFileSync(conf, 'utf8')).toBe(START.replace('URL', telegram.url));
  });

  it('makes the folder of the installed file as root, before `install` ever ran; it alone, and after the last answer', async () => {
    const target = join(dir, 'etc/monitor.conf');
    const place = { target, installed: target };
    const set = { TELEGRAM_BOT_TOKEN: telegram.token };
    const interrupted = await run(answering([[/Token/, '']]), { chatId: telegram.chatId }, set, undefined, {
      place,
    });
    expect(interrupted.err).toBe('Nothing was changed.\n');
    expect(readdirSync(dir)).toEqual([]);
    expect(await run(undefined, { chatId: telegram.chatId }, set, undefined, { place })).toMatchObject({
      code: 0,
    });
    expect(statSync(target).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, 'etc')).mode & 0o777).toBe(0o755);
    const other = join(dir, 'etc2/monitor.conf');
    const refused = await run(undefined, { chatId: telegram.chatId }, set, undefined, {
      place: { target: other },
    });
    expect(refused).toMatchObject({ code: 2 });
    expect(readdirSync(dir)).toEqual(['etc']);
  });

  it('leaves a link a link', async () => {
    const kept = join(dir, 'kept.conf');
    writeFileSync(kept, '# kept\n', { mode: 0o600 });
    symlinkSync(kept, conf);
    const set = { TELEGRAM_BOT_TOKEN: telegram.token };
    expect((await run(undefined, { chatId: telegram.chatId }, set)).code).toBe(0);
    expect(lstatSync(conf).isSymbolicLink()).toBe(true);
    expect(readFileSync(kept, 'utf8')).toMatch(/^# kept\nTELEGRAM_CHAT_ID=/);
  });

  it.each<[string, boolean]>([
    ['Bäckerei „Süß“ 🥐', true],
    ["Bob's shop", true],
    ['the "old" one', true],
    [`Bob's "old" one`, false],
    ['C:\\', false],
    ['x'.repeat(61), false],
  ])('takes a name that every reader of the file reads alike: %s', async (name, good) => {
    const ask = answering([
      [/Token/, telegram.token],
      [/Name/, name],
      ...(good ? [] : ([[/Name/, '']] as [RegExp, string][])),
      [/recovery/, ''],
      [/do that, too/, ''],
    ]);
    expect((await run(ask, { chatId: telegram.chatId })).code).toBe(0);
    const loaded = await loadConfig({ config: conf, env: {}, cwd: dir, uid: 1, etcDir: dir });
    expect((loaded as { config: Config }).config.settings.SERVER_NAME).toBe(good ? name : '');
  });

  it('writes the file that is named, the installed one as root, else the one in this folder', () => {
    expect(setupTarget({ config: 'x.conf' }, { VPSMON_CONFIG: '/y' }, '/d', true)).toBe('/d/x.conf');
    expect(setupTarget({}, { VPSMON_CONFIG: '/y' }, '/d', true)).toBe('/y');
    expect(setupTarget({}, {}, '/d', true)).toBe('/etc/vpsmon/monitor.conf');
    expect(setupTarget({}, {}, '/d', false)).toBe('/d/monitor.conf');
  });
});

describe('the code', () => {
  it('is shown as a QR code above the link, and left out where the terminal cannot draw it', async () => {
    const shown = async (drawsBlocks: boolean) =>
      (
        await run(answering([[/Token/, telegram.token]]), {}, {}, undefined, {
          place: { drawsBlocks, waitMs: 0 },
        })
      ).out;
    expect(await shown(true)).toMatch(/Scan this[^\n]*\n█{30,}\n(?:[ █▀▄]+\n)+https:/u);
    expect(await shown(false)).not.toContain('█');
    expect(drawsBlocks({ TERM: 'xterm', LANG: 'de_DE.UTF-8' })).toBe(true);
    expect(drawsBlocks({ TERM: 'xterm' })).toBe(true);
    expect(drawsBlocks({ TERM: 'xterm', LANG: 'de_DE.ISO-8859-1' })).toBe(false);
    expect(drawsBlocks({ TERM: 'dumb', LANG: 'C.UTF-8' })).toBe(false);
  });

  it('pairs the topic of a forum in which the code was written, and a channel in which it was posted', async () => {
    begin();
    telegram.setChat({ ...NIGHT_WATCH, topics: [7] });
    const inTopic = await run(inGroup([7]), {}, {}, (text) => {
      const start = /\?startgroup=([\w-]+)/.exec(text)?.[1];
      if (start === undefined) return;
      telegram.write(NIGHT_WATCH, `/start ${start}`, undefined, {
        is_topic_message: true,
        message_thread_id: 7,
      });
    });
    expect(inTopic).toMatchObject({ code: 0, err: '' });
    expect(readFileSync(conf, 'utf8')).toContain(`TELEGRAM_CHAT_ID='-100123/7'`);
    const channel = { id: -100_9, type: 'channel' as const, title: 'News' };
    telegram.setChat(channel);
    const posted = await run(inGroup(), {}, {}, (text) => {
      const start = /\?start=([\w-]+)/.exec(text)?.[1];
      if (start !== undefined)
        telegram.push({ channel_post: { message_id: 5, date: 1, chat: channel, text: `/start ${start}` } });
    });
    expect(posted.code).toBe(0);
    expect(readFileSync(conf, 'utf8')).toContain(`TELEGRAM_CHAT_ID='-1009'`);
  });

  it('pairs a group, with the id of the group and of who added the bot', async () => {
    begin();
    const ask = inGroup();
    const { code, out } = await run(ask, {}, {}, (text) => {
      const start = /\?startgroup=([\w-]+)/.exec(text)?.[1];
      if (start !== undefined) telegram.write(NIGHT_WATCH, `/start@standin_bot ${start}`);
    });
    expect(code).toBe(0);
    expect(out).toContain('in the chat Night watch (-100123)');
    expect(readFileSync(conf, 'utf8')).toContain(`TELEGRAM_CHAT_ID='-100123'`);
  });
});

describe('strangers and terminals', () => {
  it('does not take the account that all anonymous administrators share for a person', async () => {
    begin();
    const ask = inGroup();
    const { code, out } = await run(ask, {}, {}, (text) => {
      const start = /\?startgroup=([\w-]+)/.exec(text)?.[1];
      if (start === undefined) return;
      telegram.write(NIGHT_WATCH, `/start@standin_bot ${start}`, undefined, {
        sender_chat: NIGHT_WATCH,
        from: { id: 1087968824, is_bot: true, first_name: 'Group' },
      });
    });
    expect(code).toBe(0);
    expect(out).toContain('pressed by an anonymous administrator in the chat Night watch');
    expect(out).toContain('put your own id into TELEGRAM_ALLOWED_USERS');
    expect(readFileSync(conf, 'utf8')).toContain(`TELEGRAM_CHAT_ID='-100123'`);
    expect(readFileSync(conf, 'utf8')).not.toContain('ALLOWED_USERS');
  });

  it('takes a code once: neither the one of an earlier run, nor a part of it, nor one that is quoted', async () => {
    begin();
    telegram.setChat(ADA);
    const codes: string[] = [];
    const pair = (write: (code: string) => void, waitMs: number) =>
      run(
        answering([
          [/Token/, telegram.token],
          [/Name/, ''],
          [/recovery/, ''],
          [/do that, too/, ''],
        ]),
        {},
        {},
        (text) => {
          const code = /\?start=([\w-]+)/.exec(text)?.[1];
          if (code === undefined) return;
          codes.push(code);
          write(code);
        },
        { place: { waitMs } },
      );
    expect((await pair((code) => telegram.write(ADA, `/start ${code}`), 100_000)).code).toBe(0);
    const before = readFileSync(conf, 'utf8');
    const late = await pair((code) => {
      for (const text of [
        `/start ${codes[0]}`,
        `/start ${code.slice(0, -1)}`,
        `/start ${code} x`,
        `it is /start ${code}`,
        code,
      ])
        telegram.write({ id: 666, type: 'private' }, text);
    }, 1500);
    expect(late.code).toBe(2);
    expect(late.err).toContain('nobody pressed Start in time');
    expect(readFileSync(conf, 'utf8')).toBe(before);
    expect(new Set(codes).size).toBe(2);
  });

  it('shows code, links and what to do on a terminal of 24 lines, with the longest name of a bot', () => {
    const link = `https://t.me/${'b'.repeat(29)}bot?start=${'c'.repeat(12)}`;
    const lines = qrCode(link, { color: false, columns: 80 })!.split('\n');
    // The line above it, the two links, the last line, and the one where the cursor stands.
    expect(lines.length + 5).toBeLessThanOrEqual(24);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });
});

describe('the units', () => {
  const settings = () => ({ TELEGRAM_BOT_TOKEN: telegram.token, TELEGRAM_CHAT_ID: telegram.chatId });
  /** Runs setup over units in this state, and returns what was run and whether install was. */
  async function withUnits(load: string, active: string, installCode = 0) {
    const commands: string[] = [];
    let installed = 0;
    const result = await run(undefined, {}, settings(), undefined, {
      run: async (_file, args) => {
        commands.push(args[0]!);
        const stdout = `Id=vps-monitor.service\nLoadState=${load}\nActiveState=${active}\n`;
        return { exitCode: 0, stdout: args[0] === 'show' ? stdout : '', stderr: '' };
      },
      place: {
        systemd: true,
        installed: conf,
        install: async () => ((installed += 1), installCode),
      },
    });
    return { ...result, commands: commands.filter((name) => name !== 'show'), installed };
  }

  it('are installed where there are none', async () => {
    expect(await withUnits('not-found', 'inactive')).toMatchObject({ code: 0, commands: [], installed: 1 });
    const failed = await withUnits('not-found', 'inactive', 2);
    expect(failed).toMatchObject({ code: 2, finished: 0 });
    expect(failed.err).toContain('the settings are written, the services are not installed');
  });

  it('are not promised where systemd does not run, and `install` makes them where it does', async () => {
    const next = async (systemd: boolean) =>
      /Next: .*/.exec((await run(undefined, {}, settings(), undefined, { place: { systemd } })).out)?.[0];
    expect(await next(false)).toBe(`Next: \`vpsmon monitor --config ${conf}\` watches.`);
    expect(await next(true)).toContain('`sudo vpsmon install` makes a service of it.');
  });

  it('are started where they do not run, and read the settings anew where they do', async () => {
    expect(await withUnits('loaded', 'inactive')).toMatchObject({
      code: 0,
      commands: ['enable'],
      installed: 0,
    });
    expect(await withUnits('loaded', 'active')).toMatchObject({
      commands: ['reload-or-restart'],
      installed: 0,
    });
  });
});

/** Runs it in a terminal of its own. What it has shown so far is `seen`; waiting for more ends where the program does. */
function inTerminal(command: string) {
  const child = spawn('script', ['-qfec', command, '/dev/null'], {
    env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const terminal = {
    seen: '',
    ended: new Promise<number | null>((resolve, reject) => {
      child.once('close', resolve);
      child.once('error', reject);
    }),
    type: (keys: string) => void child.stdin.write(keys),
    shows: (text: string) =>
      until(() => {
        if (child.exitCode !== null && !terminal.seen.includes(text))
          throw new Error(`it ended without ${text}: ${terminal.seen}`);
        return terminal.seen.includes(text);
      }, text),
  };
  child.stdin.on('error', () => undefined); // it has ended, which is what `shows` says
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (terminal.seen += chunk.toString()));
  return terminal;
}

describe('vpsmon setup in a real terminal', () => {
  /** What is asked in its order, and what is typed at it; at the link, Start is pressed. */
  const steps: [shown: string, typed: string][] = [
    ['Token of the bot', ''],
    ['?start=', ''],
    ['Name of this server', ''],
    ['Let recovery act?', 'y'],
    ['Let them do that, too?', ''],
  ];
  it.each(steps.map(([shown], i) => [shown, i] as const))(
    'shows nothing of the token that is typed, and leaves the file on Ctrl-C at: %s',
    async (_shown, stopAt) => {
      begin();
      telegram.setChat(ADA);
      const terminal = inTerminal(
        `${process.execPath} ${BIN} setup --config ${conf} --state-dir ${dir}/state`,
      );
      for (const [i, [shown, typed]] of steps.entries()) {
        await terminal.shows(shown);
        if (i === stopAt) break;
        if (i === 0) terminal.type(`${telegram.token}\r`);
        else if (i === 1) {
          // It may come in pieces.
          const code = await until(() => /\?start=([\w-]+)\s/.exec(terminal.seen)?.[1], 'the whole link');
          telegram.write(ADA, `/start ${code}`);
        } else terminal.type(`${typed}\r`);
      }
      terminal.type('\u0003');
      expect(await terminal.ended).not.toBe(0);
      const { seen } = terminal;
      expect(seen).toContain('Nothing was changed.');
      expect(seen).not.toContain(telegram.token.slice(-20));
      expect(readFileSync(conf, 'utf8')).toBe(START.replace('URL', telegram.url));
      expect(statSync(conf).mode & 0o777).toBe(0o644);
    },
  );

  it('shows what docs/first-five-minutes.md says', async () => {
    begin();
    const page = readFileSync('docs/first-five-minutes.md', 'utf8');
    const [documented = ''] = /^vpsmon writes to you[^]*?(?=^Written:)/m.exec(page) ?? [];
    expect(documented).toContain('█');
    const terminal = inTerminal(
      `stty cols 80; ${process.execPath} ${BIN} setup --config ${conf} --state-dir ${dir}/state`,
    );
    const answer = async (question: string, typed: string) => {
      await terminal.shows(question);
      terminal.type(`${typed}\r`);
    };
    await answer('Token of the bot', telegram.token);
    await terminal.shows('Waiting for Start');
    const code = /\?start=([\w-]+)/.exec(terminal.seen)?.[1];
    const ada = { from: { id: 4711, is_bot: false, first_name: 'Ada' } };
    telegram.write(
      { id: Number(telegram.chatId), type: 'supergroup', title: 'Ops' },
      `/start ${code}`,
      undefined,
      ada,
    );
    await answer('Name of this server', 'shop');
    await answer('Let recovery act?', 'n');
    await answer('Let them do that, too?', 'n');
    await terminal.ended;
    const written = screen(terminal.seen);
    const [shown = written] = /^vpsmon writes to you[^]*?(?=^Written:)/m.exec(written) ?? [];
    // The package's file switches recovery on, the defaults do not.
    const same = (text: string) => withoutChance(text).replace('act? [Y/n]', 'act? [y/N]');
    expect(same(shown)).toBe(same(documented));
  });

  it('goes on after Ctrl-Z and fg, and says at Ctrl-C while it waits that nothing was changed', async () => {
    begin();
    const shell = inTerminal('bash --norc --noprofile -i');
    const type = (keys: string) => {
      shell.seen = '';
      shell.type(keys);
    };
    type(`${process.execPath} ${BIN} setup --config ${conf} --state-dir ${dir}/state\r`);
    await shell.shows('(not shown)');
    type('\u001a');
    await shell.shows('Stopped');
    type('fg\r');
    await shell.shows('(not shown)');
    type(`${telegram.token}\r`);
    await shell.shows('Waiting for Start');
    expect(shell.seen).not.toContain(telegram.token.slice(-20));
    type('\u0003');
    await shell.shows('Nothing was changed.');
    type('exit\r');
    await shell.ended;
  });

  it('takes the token from a pipe, and says when others can read its file', async () => {
    begin();
    const args = ['setup', '--config', conf, '--state-dir', join(dir, 'state'), '--chat-id', telegram.chatId];
    const piped = (token: string, more: string[]) =>
      execFileSync(process.execPath, [BIN, ...args, ...more], {
        input: token,
        encoding: 'utf8',
        stdio: ['pipe', 'pipe', 'pipe'],
      });
    expect(() => piped('', ['--token-file', '-'])).toThrow('--token-file: - is empty');
    const waiting = new Promise<string>((done, fail) => {
      const child = execFile(process.execPath, [BIN, ...args, '--token-file', '-'], (error, out) =>
        error ? fail(error) : done(out),
      );
      child.stdin!.end(`${telegram.token}\n`);
    });
    expect(await waiting).toContain('The test message was sent to Ops.');
    expect(readFileSync(conf, 'utf8')).toContain(telegram.token);
    const file = join(dir, 'token');
    writeFileSync(file, telegram.token, { mode: 0o644 });
    const { stderr } = await vpsmon([...args, '--token-file', file]);
    expect(stderr).toContain(`others on this machine can read ${file}`);
  });

  it('says what stands in the environment, too, where it wins over what was written', async () => {
    begin();
    writeFileSync(join(dir, 'token'), telegram.token, { mode: 0o600 });
    const args = ['setup', '--config', conf, '--state-dir', join(dir, 'state'), '--chat-id', telegram.chatId];
    const env = { TELEGRAM_BOT_TOKEN: `1:${'A'.repeat(35)}`, TELEGRAM_CHAT_ID: '5', LOG_LEVEL: 'WARN' };
    const { code, stderr } = await vpsmon([...args, '--token-file', join(dir, 'token')], { env });
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr:
        'vpsmon: TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID also stand in the environment of this shell, which wins over the file: unset TELEGRAM_BOT_TOKEN TELEGRAM_CHAT_ID\n',
    });
    expect(stderr).not.toContain(env.TELEGRAM_BOT_TOKEN);
  });

  it('asks nothing where there is no terminal', async () => {
    begin();
    const result = await vpsmon(['setup', '--config', conf]);
    expect(result.code).toBe(3);
    expect(result.stderr).toContain('--token-file FILE');
  });
});
