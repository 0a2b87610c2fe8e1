import type { Answer, Telegram } from '../notify/telegram.ts';
import { describeChat } from '../notify/chat.ts';
import { plain } from '../model/text.ts';
import type { Http } from '../system/types.ts';
import { adviceFor } from './delivery.ts';
import { failed, ok, warning, type Line } from './types.ts';

export type TelegramFacts = { token: string; chatId: string; tokenFile: string };

/** Asks the Bot API who the bot is (getMe) and whether it knows the chat (getChat). Sends nothing. */
export async function examineTelegram(telegram: Telegram, facts: TelegramFacts): Promise<Line[]> {
  const name = 'telegram';
  if (facts.token === '')
    return [
      warning(
        name,
        facts.tokenFile
          ? `there is no token in ${facts.tokenFile}`
          : 'there is no bot token: alerts go to the log only',
        'get one from @BotFather (/newbot), and set TELEGRAM_BOT_TOKEN in monitor.conf',
      ),
    ];
  const me = await telegram.getMe();
  const bad = judgeAnswer(me);
  if (bad) return [bad];
  const bot = botName(me);
  if (facts.chatId === '')
    return [
      ok(name, `the bot is ${bot}`),
      warning(
        name,
        'there is no chat to write to',
        'write to the bot, then take the id that `vpsmon telegram chats` shows as TELEGRAM_CHAT_ID',
      ),
    ];
  const chat = await telegram.getChat();
  const unknown = judgeAnswer(chat);
  if (unknown) return [ok(name, `the bot is ${bot}`), unknown];
  const { title, type } = describeChat(chat.kind === 'ok' ? chat.result : {});
  return [ok(name, `${bot} writes to "${plain(title, 60)}" (${plain(type, 20)})`)];
}

function judgeAnswer(answer: Answer): Line | undefined {
  const name = 'telegram';
  if (answer.kind === 'ok') return undefined;
  if (answer.kind === 'broken')
    return failed(
      name,
      `cannot be reached: ${answer.why}`,
      'look whether this server gets out: curl -sS https://api.telegram.org; a proxy or firewall may be in between (TELEGRAM_API_ROOT)',
    );
  const said = `${answer.code} ${answer.description}`;
  if (answer.code === 429)
    return warning(name, `asks to wait: ${said}`, 'too many messages were sent; it is obeyed by itself');
  return failed(name, `refuses: ${said}`, adviceFor(said));
}

function botName(answer: Answer): string {
  const result = answer.kind === 'ok' ? (answer.result as { username?: unknown } | null) : null;
  return typeof result?.username === 'string' ? `@${plain(result.username, 60)}` : 'a bot without a name';
}

/** What time it is at the Bot API, from the Date header of any answer; undefined where none comes. */
export async function askTime(
  http: Http,
  apiRoot: string,
  now: () => number,
): Promise<{ at: number; askedAt: number; name: string } | undefined> {
  try {
    const answer = await http({ url: apiRoot, timeoutMs: 5000, maxBytes: 1_048_576 });
    const at = Date.parse(answer.headers['date'] ?? '');
    return Number.isNaN(at) ? undefined : { at, askedAt: now(), name: new URL(apiRoot).hostname };
  } catch {
    return undefined;
  }
}
