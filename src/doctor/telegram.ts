import type { Answer, Telegram } from '../notify/telegram.ts';
import { describeChat } from '../notify/chat.ts';
import { placeOf, type Destination } from '../notify/targets.ts';
import { plain } from '../model/text.ts';
import type { Http } from '../system/types.ts';
import { refusalAdvice } from './delivery.ts';
import { failed, ok, warning, type Line } from './types.ts';

export type TelegramFacts = {
  token: string;
  tokenFile: string;
  destinations: readonly Destination[];
  /** TELEGRAM_COMMANDS. */
  reads: boolean;
};

/** Asks the Bot API who the bot is (getMe), whether it knows the chats (getChat), and who reads its messages. Sends nothing. */
export async function examineTelegram(telegram: Telegram, facts: TelegramFacts): Promise<Line[]> {
  const name = 'telegram';
  if (facts.token === '')
    return [
      warning(
        name,
        facts.tokenFile
          ? `there is no token in ${facts.tokenFile}`
          : 'there is no bot token: alerts go to the log only',
        'run `vpsmon setup`: it says how to get one, and does the rest',
      ),
    ];
  const me = await telegram.getMe();
  const bad = judgeAnswer(me);
  if (bad) return [bad];
  if (me.kind === 'ok' && typeof (me.result as { id?: unknown } | null)?.id !== 'number')
    return [notTheApi('something answers, and not as the Bot API does')];
  const bot = botName(me);
  const [main] = facts.destinations;
  if (!main)
    return [
      ok(name, `the bot is ${bot}`),
      warning(
        name,
        'there is no chat to write to',
        'run `vpsmon setup` and press Start on your phone; `vpsmon telegram chats` lists the ids of chats',
      ),
    ];
  const several = facts.destinations.length > 1;
  const chats = await Promise.all(
    facts.destinations.map(async ({ target, severities }): Promise<Line> => {
      const { chat, topic } = placeOf(target);
      const answer = await telegram.getChat(chat);
      const unknown = judgeAnswer(answer, several ? target : undefined);
      if (unknown) return unknown;
      const { title, type } = describeChat(answer.kind === 'ok' ? answer.result : {});
      const where = `"${plain(title, 60)}" (${plain(type, 20)})${topic === undefined ? '' : `, topic ${topic}`}`;
      const what = severities.length === 0 ? 'commands only' : severities.join(', ');
      return ok(name, `${bot} writes to ${where}${several ? `: ${what}` : ''}`);
    }),
  );
  const refused = chats.some(({ state }) => state !== 'ok');
  return [
    ...(refused && !several ? [ok(name, `the bot is ${bot}`)] : []),
    ...chats,
    ...(facts.reads ? await examineWebhook(telegram) : []),
  ];
}

/** Where another program has set a webhook, nobody else can read what people write to the bot. */
async function examineWebhook(telegram: Telegram): Promise<Line[]> {
  const answer = await telegram.getWebhookInfo();
  const { url } = (answer.kind === 'ok' && answer.result ? answer.result : {}) as { url?: unknown };
  if (typeof url !== 'string' || url === '') return [];
  return [
    warning(
      'telegram',
      'another program has set a webhook for this bot: commands and buttons do not work, messages are sent',
      'give vpsmon a bot of its own, or set TELEGRAM_COMMANDS=false',
    ),
  ];
}

/** `chat`: which one it was about, where there are several. */
function judgeAnswer(answer: Answer, chat?: string): Line | undefined {
  const name = 'telegram';
  if (answer.kind === 'ok') return undefined;
  if (answer.kind === 'broken') return notTheApi(answer.why);
  const answered = `${answer.code} ${answer.description}`;
  if (answer.code === 429)
    return warning(name, `asks to wait: ${answered}`, 'too many messages were sent; it is obeyed by itself');
  return failed(name, `refuses${chat === undefined ? '' : ` ${chat}`}: ${answered}`, refusalAdvice(answered));
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

function notTheApi(why: string): Line {
  return failed(
    'telegram',
    `cannot be reached: ${why}`,
    'look whether this server gets out: curl -sS https://api.telegram.org; a proxy or firewall may be in between (TELEGRAM_API_ROOT)',
  );
}
