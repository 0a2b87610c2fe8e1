// docs/first-five-minutes.md is written from what a run on a fresh machine showed (test/vps/package.test.ts), and compared with every
// later run. To write it anew: VPSMON_SEEN=FOLDER npx vitest run --project vps test/vps/package.test.ts, then copy it from that folder.

/** What each step showed: the terminal of apt and setup (without the examination at its end), the messages on the phone, `vpsmon status`. */
export type Seen = { apt: string; setup: string; messages: readonly string[]; status: string };

export function fiveMinutesPage({ apt, setup, messages, status }: Seen): string {
  const block = (text: string) => ['```text', text.trimEnd(), '```'];
  return [
    '# The first five minutes',
    '',
    'Two commands, no editor. A third one shows an alert. This page is what a run on a fresh Debian 12 with 1 GiB and Docker showed, with a',
    'stand-in for Telegram; `test/vps/package.test.ts` repeats it and compares.',
    '',
    '## 1. A bot',
    '',
    'On the phone, write `/newbot` to [@BotFather](https://t.me/BotFather), choose a name, and copy the token that it gives you: `1234567890:AA...`.',
    '',
    '## 2. `apt install ./vpsmon_*_amd64.deb`',
    '',
    'As root. It takes some seconds and no network, and starts the monitor. Without a bot it watches already, and keeps what it has to say in',
    '`/var/lib/vpsmon/alert_history.log`.',
    '',
    ...block(apt),
    '',
    '## 3. `vpsmon setup`',
    '',
    'Still as root. The token was pasted, Start pressed on the phone in a group, the name typed, and both questions answered with `n`.',
    '',
    ...block(setup),
    '',
    'What `vpsmon doctor` finds follows: a line for each thing that it looked at, and what to do about what is not well.',
    '',
    '## 4. An alert',
    '',
    '```bash',
    "docker run -d --name crash-test busybox sh -c 'sleep 5; exit 1'",
    '```',
    '',
    'The phone had these messages by then, one below the other; the last one within a second of the death. `docker rm crash-test` ends it.',
    '',
    ...messages.flatMap((message) => [...block(message), '']),
    'From here: `vpsmon status` for every day, [MONITORING.md](../MONITORING.md) for what comes next.',
    '',
    ...block(status),
    '',
  ].join('\n');
}

/** What a person sees in the end of what a program wrote to a terminal: colours and redrawn lines are gone. */
export function screen(written: string): string {
  return (
    written
      .replace(/\r+\n/g, '\n')
      // readline goes to the begin of a line, clears it and draws the question anew.
      // oxlint-disable-next-line no-control-regex -- escape sequences
      .replace(/[^\n]*\u001b\[1G\u001b\[0J/g, '')
      // oxlint-disable-next-line no-control-regex -- escape sequences
      .replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '')
      .split('\n')
      .map((line) => line.replace(/^[^]*\r/, '').trimEnd())
      .join('\n')
  );
}

/**
 * The same without what is another one in each run: numbers, codes, pictures, the machine's name, where lines break, what memory did
 * in the minutes before, and the status at the end.
 */
export function withoutChance(text: string): string {
  return text
    .replace(/\nFrom here: [^]*/, '')
    .replace(/^(Next: .*\n)[^`]*/gm, '$1')
    .replace(/Container ID: \w+/g, 'Container ID: ID')
    .replace(/^[ █▀▄]+$/gmu, '')
    .replace(/(start|startgroup)=[\w-]+/g, '$1=CODE')
    .replace(/messages \[[^\]]*\]/g, 'messages [NAME]')
    .replace(/\s+/g, ' ')
    .replace(/\d+ (?:h|min)(?: \d+ (?:min|s))?\b/g, '# s')
    .replace(/\d[\d.,:-]*/g, '#');
}
