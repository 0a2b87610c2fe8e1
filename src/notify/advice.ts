/** What a person can do about an answer of Telegram. One or two plain sentences. */
export function adviceFor(why: string): string {
  const found = ADVICE.find(([pattern]) => pattern.test(why));
  return found ? found[1] : 'If it lasts, check the network and TELEGRAM_API_ROOT.';
}

const ADVICE: [RegExp, string][] = [
  [
    /no bot token|^401|unauthorized/i,
    'The token is wrong or was revoked: @BotFather shows the right one (/mybots, API Token), and `vpsmon setup` takes it.',
  ],
  [/^404/, 'The token is malformed, or TELEGRAM_API_ROOT is no Bot API server.'],
  [
    /chat not found|chat_id is empty|chat_id_invalid|peer_id_invalid|user not found/i,
    'The bot does not know this chat: write to the bot, or add it to the group. `vpsmon setup` pairs it, `vpsmon telegram chats` lists ids.',
  ],
  [/blocked by the user/i, 'Unblock the bot in Telegram and press Start.'],
  [
    /kicked|not a member|was deleted|deactivated/i,
    'Add the bot to the chat again, or choose another one with `vpsmon setup`.',
  ],
  [
    /not enough rights|no rights|administrator rights|write_forbidden|send_\w+_forbidden|topic_closed|chat_restricted/i,
    'Allow the bot to send messages there: in a channel it must be an administrator.',
  ],
  [
    /webhook is active/i,
    'Another program has set a webhook for this bot: use a bot of your own for vpsmon, or delete the webhook (deleteWebhook).',
  ],
  [
    /^409|other getupdates/i,
    'Another program reads the messages of this bot right now: stop it for a moment, or use a bot of your own for vpsmon.',
  ],
  [
    /^429|too many requests/i,
    'Too many messages were sent: Telegram takes the next one after the pause that it asks for.',
  ],
  [
    /ENOTFOUND|EAI_AGAIN|not found|no such host|name/i,
    'The name of the Bot API server cannot be resolved: check DNS and TELEGRAM_API_ROOT.',
  ],
  [
    /not from the Bot API/i,
    'Something between here and Telegram answered in its place (a proxy or a login page): check TELEGRAM_API_ROOT and the network.',
  ],
  [
    /refused|reset|timed? ?out|no answer|without an answer|unreachable|certificate|gave up/i,
    'The Bot API server cannot be reached from here: check the network, the firewall and TELEGRAM_API_ROOT.',
  ],
];
