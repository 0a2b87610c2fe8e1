// A strict stand-in for the Telegram Bot API: a real HTTP server without dependencies, used by tests in the same process
// (`startTelegram()`) and as a program of its own (`node telegram.js --port 8081 --token 1:x --chat -100123`).
//
// Where Telegram is lenient and its documentation is not (a bare `&` or `>` in HTML), it is as strict as the documentation.
// Error sentences are those of tdlib/telegram-bot-api (Client.cpp) and tdlib/td (MessageEntity.cpp).
import { setMaxListeners } from 'node:events';
import { createServer } from 'node:http';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const DEFAULT_TOKEN = '123456789:AAStandInStandInStandInStandInStandIn';
const DEFAULT_CHAT = '-1001234567890';
const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const TEXT_MAX = 4096;
const CAPTION_MAX = 1024;
const PHOTO_MAX = 10 * 1024 * 1024;
const DATA_MAX = 64;
const BUTTONS_MAX = 100;
const ROW_MAX = 8;
const ANSWER_MAX = 200;
const ADA = { id: 777, is_bot: false, first_name: 'Ada', username: 'ada' };
/** What an update may be, as far as this stand-in gives it. */
const UPDATE_TYPES = ['message', 'edited_message', 'channel_post', 'callback_query', 'my_chat_member'];
const SENDING = [
  'business_connection_id',
  'chat_id',
  'message_thread_id',
  'direct_messages_topic_id',
  'ephemeral_message_parameters',
  'parse_mode',
  'disable_notification',
  'protect_content',
  'allow_paid_broadcast',
  'message_effect_id',
  'suggested_post_parameters',
  'reply_parameters',
  'reply_markup',
];
const EDITING = ['business_connection_id', 'chat_id', 'message_id', 'inline_message_id', 'reply_markup'];
/** What the documentation of Bot API 10.3 names, as far as a monitor may use it. Telegram leaves out what it does not know. */
const PARAMETERS = {
  getme: [],
  getchat: ['chat_id'],
  getwebhookinfo: [],
  getupdates: ['offset', 'limit', 'timeout', 'allowed_updates'],
  sendmessage: ['text', 'entities', 'link_preview_options', ...SENDING],
  sendphoto: ['photo', 'caption', 'caption_entities', 'show_caption_above_media', 'has_spoiler', ...SENDING],
  editmessagetext: ['text', 'entities', 'link_preview_options', 'rich_message', 'parse_mode', ...EDITING],
  editmessagecaption: ['caption', 'caption_entities', 'show_caption_above_media', 'parse_mode', ...EDITING],
  editmessagereplymarkup: EDITING,
  answercallbackquery: ['callback_query_id', 'text', 'show_alert', 'url', 'cache_time'],
  setmycommands: ['commands', 'scope', 'language_code'],
};
const STYLES = ['', 'default', 'primary', 'danger', 'success'];
/** Of a text before its tags are taken out: Client.cpp, get_formatted_text. */
const RAW_MAX_BYTES = 32_768;
/** Client.cpp, process_get_updates_query: who asks for the same again so soon waits, and within half a second gets one. */
const SAME_AGAIN_MS = 3000;
/** After this an answer to a callback query comes too late. */
const QUERY_TTL_MS = 60_000;
const GENERAL_TOPIC = 1;
const TAGS = new Set(
  'a b strong i em s strike del u ins tg-spoiler tg-emoji span pre code blockquote tg-time'.split(' '),
);

/** Starts the server on a free port of the loopback. See telegram.d.ts for what it can do. */
export async function startTelegram(options = {}) {
  const state = {
    token: options.token ?? DEFAULT_TOKEN,
    username: options.username ?? 'standin_bot',
    chats: new Map(),
    sent: [],
    edits: [],
    answers: [],
    /** Every message that is there, by chat and id, as people see it now. */
    messages: new Map(),
    /** Callback queries that wait for their answer. */
    queries: new Map(),
    commands: undefined,
    calls: [],
    updates: [],
    webhook: false,
    faults: [],
    always: undefined,
    limits: options.limits,
    /** The long poll that waits, if one does. */
    poll: undefined,
    allowedUpdates: undefined,
    conflictDelayMs: options.conflictDelayMs ?? 3000,
    nextConflictAt: 0,
    /** Of the last getUpdates: its offset, and when it came. */
    asked: { offset: undefined, at: 0 },
    sameAgainMs: options.sameAgainMs ?? SAME_AGAIN_MS,
    nextQueryId: 700_000_000_001,
    /** The last number of a message, by chat. */
    lastMessageIds: new Map(),
    nextUpdateId: 5000,
    waiters: new Set(),
    onSent: options.onSent,
    stop: new AbortController(),
    now: options.now ?? (() => Date.now()),
  };
  for (const chat of options.chats ?? [{ id: Number(DEFAULT_CHAT), type: 'supergroup', title: 'Ops' }])
    state.chats.set(String(chat.id), { state: 'ok', ...chat });

  for (const entry of options.earlier ?? []) {
    state.messages.set(`${entry.chatId}/${entry.id}`, {
      ...entry,
      photo: entry.photoBytes !== undefined,
      keyboard: entry.keyboard ?? [],
    });
    const row = numbersOf(state.chats.get(entry.chatId) ?? {});
    state.lastMessageIds.set(row, Math.max(state.lastMessageIds.get(row) ?? 0, entry.id));
  }

  // Each long poll listens to it.
  setMaxListeners(0, state.stop.signal);
  const server = createServer((request, response) => {
    handle(state, request, response, options.control === true).catch((error) => {
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' });
      response.end(String(error?.stack ?? error));
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve);
  });
  const { port } = server.address();
  return {
    url: `http://${options.host ?? '127.0.0.1'}:${port}`,
    port,
    token: state.token,
    chatId: String([...state.chats.keys()][0] ?? ''),
    get settings() {
      return { TELEGRAM_API_ROOT: this.url, TELEGRAM_BOT_TOKEN: this.token, TELEGRAM_CHAT_ID: this.chatId };
    },
    sent: state.sent,
    edits: state.edits,
    answers: state.answers,
    calls: state.calls,
    commands: () => state.commands,
    message: (chatId, id) => state.messages.get(`${chatId}/${id}`),
    deleteMessage: (chatId, id) => void state.messages.delete(`${chatId}/${id}`),
    tap: (message, button, from, chatId, more) => tap(state, message, button, from, chatId, more),
    push: (update) => void push(state, update),
    polling: () => state.poll !== undefined,
    fail: (...faults) => void state.faults.push(...faults.map(normalFault)),
    pendingFaults: () => state.faults.length,
    nextFault: (method) => findFault(state, method.toLowerCase())?.kind,
    always: (fault) => void (state.always = fault === undefined ? undefined : normalFault(fault)),
    setChat: (chat) =>
      void state.chats.set(String(chat.id), { state: 'ok', ...state.chats.get(String(chat.id)), ...chat }),
    removeChat: (id) => void state.chats.delete(String(id)),
    migrate(from, to) {
      const old = state.chats.get(String(from));
      if (!old) throw new Error(`no such chat: ${from}`);
      state.chats.set(String(to), { ...old, id: Number(to), type: 'supergroup', migratedTo: undefined });
      state.chats.set(String(from), { ...old, migratedTo: Number(to) });
    },
    write(chat, text, at = Date.now(), more = {}) {
      const message = {
        message_id: nextMessageId(state, chat),
        date: Math.floor(at / 1000),
        chat,
        from: { ...ADA },
        text,
        ...more,
      };
      push(state, { message });
      return message;
    },
    setWebhook(on) {
      state.webhook = on;
      if (on) state.poll?.conflict('terminated by setWebhook request');
    },
    setToken: (token) => void (state.token = token),
    waitFor(count, timeoutMs = 400_000) {
      return waitFor(state, () => state.sent.length >= count, timeoutMs, `${count} messages`);
    },
    waitUntil: (test, timeoutMs = 400_000) =>
      waitFor(state, test, timeoutMs, String(test).replace(/\s+/g, ' ').slice(0, 300)),
    clear() {
      state.sent.length = 0;
      state.edits.length = 0;
      state.answers.length = 0;
      state.calls.length = 0;
      state.faults.length = 0;
      state.always = undefined;
    },
    async close() {
      state.stop.abort();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function waitFor(state, test, timeoutMs, what) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      state.waiters.delete(look);
      const texts = state.sent.map((m) => JSON.stringify(m.plain.slice(0, 80))).join('\n  ');
      reject(
        new Error(
          `Telegram stand-in: ${what} did not come within ${timeoutMs} ms; accepted so far:\n  ${texts}`,
        ),
      );
    }, timeoutMs);
    function look() {
      if (!test()) return;
      clearTimeout(timer);
      state.waiters.delete(look);
      resolve();
    }
    state.waiters.add(look);
    look();
  });
}

function changed(state) {
  for (const look of state.waiters) look();
}

// ---------------------------------------------------------------------------------------------------------------- HTTP

async function handle(state, request, response, control) {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const body = await readBody(request);
  if (control && url.pathname.startsWith('/standin/'))
    return steer(state, url, request.method, body, response);
  const match = /^\/bot([^/]+)\/([A-Za-z]+)$/.exec(url.pathname);
  const token = match ? decodeURIComponent(match[1]) : '';
  if (!match || !/^\d+:[A-Za-z0-9_-]+$/.test(token)) return answer(response, refuse(404, 'Not Found'));
  if (request.method !== 'GET' && request.method !== 'POST')
    return answer(response, refuse(405, 'Method Not Allowed: use GET or POST'));
  const method = match[2].toLowerCase();
  const call = { at: Date.now(), method: match[2], params: {}, status: 0, fault: undefined };
  state.calls.push(call);
  if (token !== state.token) return finish(call, response, refuse(401, 'Unauthorized'));

  let input;
  try {
    input = parseParameters(request, url, body);
    call.params = Object.fromEntries(
      Object.entries(input.fields).map(([k, v]) => [
        k,
        typeof v === 'string' && v.length > 5000 ? v.slice(0, 5000) : v,
      ]),
    );
  } catch (error) {
    return finish(call, response, refuse(400, `Bad Request: ${error.message}`));
  }
  const fault = takeFault(state, method);
  if (fault) {
    call.fault = fault.kind;
    const done = await applyFault(state, fault, request, response, () => perform(state, method, input));
    if (done) {
      call.status = done.status ?? 0;
      changed(state);
      return;
    }
  }
  const unknown = Object.keys(input.fields).filter((name) => PARAMETERS[method]?.includes(name) === false);
  if (unknown.length > 0)
    return finish(call, response, refuse(400, `Bad Request: unknown ${unknown.join()}`));
  finish(call, response, await perform(state, method, input));
  changed(state);
}

function readBody(request) {
  return new Promise((resolve, reject) => {
    const parts = [];
    let size = 0;
    request.on('data', (part) => {
      size += part.length;
      if (size <= 60 * 1024 * 1024) parts.push(part);
    });
    request.on('end', () => resolve(Buffer.concat(parts)));
    request.on('error', reject);
    request.on('aborted', () => reject(new Error('aborted')));
  });
}

function finish(call, response, result) {
  call.status = result.status;
  call.description = result.body.description;
  answer(response, result);
}

function answer(response, { status, body, headers = {} }) {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}

const ok = (result) => ({ status: 200, body: { ok: true, result } });
function refuse(code, description, parameters, headers) {
  return {
    status: code,
    body: { ok: false, error_code: code, description, ...(parameters ? { parameters } : {}) },
    ...(headers ? { headers } : {}),
  };
}
const tooMany = (sec) =>
  refuse(429, `Too Many Requests: retry after ${sec}`, { retry_after: sec }, { 'retry-after': String(sec) });

function parseParameters(request, url, body) {
  const fields = Object.fromEntries(url.searchParams);
  const type = request.headers['content-type'] ?? '';
  if (body.length === 0) return { fields, files: {} };
  if (type.startsWith('application/json')) {
    let json;
    try {
      json = JSON.parse(body.toString('utf8'));
    } catch {
      throw new Error("can't parse JSON object");
    }
    if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new Error('object expected');
    return { fields: { ...fields, ...json }, files: {} };
  }
  if (type.startsWith('application/x-www-form-urlencoded'))
    return {
      fields: { ...fields, ...Object.fromEntries(new URLSearchParams(body.toString('utf8'))) },
      files: {},
    };
  if (type.startsWith('multipart/form-data')) {
    const parsed = parseMultipart(type, body);
    return { fields: { ...fields, ...parsed.fields }, files: parsed.files };
  }
  throw new Error(`unsupported content type ${type || '(none)'}`);
}

function parseMultipart(type, body) {
  const match = /boundary=(?:"([^"]+)"|([^\s;]+))/.exec(type);
  if (!match) throw new Error('boundary not found');
  const boundary = Buffer.from(`--${match[1] ?? match[2]}`);
  const fields = {};
  const files = {};
  let at = body.indexOf(boundary);
  if (at !== 0) throw new Error('multipart body does not start with its boundary');
  for (;;) {
    at += boundary.length;
    if (body.subarray(at, at + 2).toString() === '--') return { fields, files };
    if (body.subarray(at, at + 2).toString() !== '\r\n') throw new Error('boundary line is malformed');
    const headerEnd = body.indexOf('\r\n\r\n', at);
    if (headerEnd < 0) throw new Error('part without end of headers');
    const headers = body.subarray(at + 2, headerEnd).toString('utf8');
    const next = body.indexOf(Buffer.concat([Buffer.from('\r\n'), boundary]), headerEnd);
    if (next < 0) throw new Error('part without end');
    const content = body.subarray(headerEnd + 4, next);
    const name = /name="([^"]*)"/.exec(headers)?.[1];
    if (!/^content-disposition: form-data;/im.test(headers) || name === undefined)
      throw new Error('part without a name');
    const filename = /filename="([^"]*)"/.exec(headers)?.[1];
    if (filename === undefined) fields[name] = content.toString('utf8');
    else files[name] = { filename, content };
    at = next + 2;
  }
}

// -------------------------------------------------------------------------------------------------------------- faults

function normalFault(fault) {
  return typeof fault === 'string' ? { kind: fault } : fault;
}

/** Faults without a method are for what sends; one with a method waits for that method. */
function findFault(state, method) {
  const fits = (fault) =>
    fault.method ? fault.method.toLowerCase() === method : method === 'sendmessage' || method === 'sendphoto';
  return state.faults.find(fits) ?? (state.always && fits(state.always) ? state.always : undefined);
}

function takeFault(state, method) {
  const fault = findFault(state, method);
  const index = state.faults.indexOf(fault);
  if (index >= 0) state.faults.splice(index, 1);
  return fault;
}

/** Resolves with undefined where the call goes on as usual after it. */
async function applyFault(state, fault, request, response, act) {
  switch (fault.kind) {
    case '500':
      answer(response, refuse(500, 'Internal Server Error'));
      return { status: 500 };
    case 'html502':
      return raw(
        response,
        502,
        '<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>',
        'text/html',
      );
    case 'html200':
      return raw(response, 200, '<html><body>Please log in to this network</body></html>', 'text/html');
    case 'empty':
      return raw(response, 200, '', 'application/json');
    case 'garbage':
      return raw(response, 200, '\u0000{"ok":tru', 'application/json');
    case 'reset':
      request.socket.resetAndDestroy();
      return {};
    case 'reset-half-way':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{"ok":true,"res');
      setTimeout(() => request.socket.resetAndDestroy(), 5);
      return {};
    case 'hang':
      return {}; // Never answers; the connection stays open until the client or `close` ends it.
    case 'accept-then-drop':
      await act();
      request.socket.resetAndDestroy();
      return {};
    case 'accept-then-hang':
      await act();
      return {};
    case 'accept-then-slow': {
      const result = await act();
      await fault.until;
      answer(response, result);
      return { status: result.status };
    }
    case '429':
      answer(response, tooMany(fault.retryAfter ?? 1));
      return { status: 429 };
    case '429-header':
      response.setHeader('retry-after', String(fault.retryAfter ?? 1));
      return raw(response, 429, '<html>slow down</html>', 'text/html');
    case 'slow':
      await new Promise((resolve) => setTimeout(resolve, fault.ms ?? 200));
      return undefined;
    case 'answer':
      answer(response, { status: fault.status ?? fault.body?.error_code ?? 400, body: fault.body ?? {} });
      return { status: fault.status };
    default:
      throw new Error(`unknown fault: ${fault.kind}`);
  }
}

function raw(response, status, text, type) {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
  response.end(text);
  return { status };
}

// ------------------------------------------------------------------------------------------------------------- methods

async function perform(state, method, { fields, files }) {
  switch (method) {
    case 'getme':
      return ok({
        id: Number(state.token.split(':')[0]),
        is_bot: true,
        first_name: 'Stand-in',
        username: state.username,
        can_join_groups: true,
        can_read_all_group_messages: false,
      });
    case 'getchat': {
      const chat = findChat(state, fields.chat_id);
      return 'status' in chat ? chat : ok(describe(chat));
    }
    case 'getwebhookinfo':
      return ok({
        url: state.webhook ? 'https://example.org/hook' : '',
        pending_update_count: state.updates.length,
      });
    case 'getupdates':
      return getUpdates(state, fields);
    case 'editmessagetext':
      return editMessageText(state, fields);
    case 'editmessagecaption':
      return editMessageCaption(state, fields);
    case 'editmessagereplymarkup':
      return editMessageReplyMarkup(state, fields);
    case 'answercallbackquery':
      return answerCallbackQuery(state, fields);
    case 'setmycommands':
      return setMyCommands(state, fields);
    case 'getmycommands':
      return ok(state.commands ?? []);
    case 'sendmessage':
      return sendMessage(state, fields);
    case 'sendphoto':
      return sendPhoto(state, fields, files);
    default:
      return refuse(404, 'Not Found: method not found');
  }
}

function describe(chat) {
  const { state: _state, migratedTo: _to, topics: _topics, closedTopics: _closed, ...seen } = chat;
  return { ...seen, ...(chat.topics ? { is_forum: true } : {}) };
}

/** The chat, or the refusal that Telegram gives. */
function findChat(state, id) {
  if (id === undefined || id === null || String(id).trim() === '')
    return refuse(400, 'Bad Request: chat_id is empty');
  const wanted = String(id);
  if (!/^-?\d+$/.test(wanted) && !wanted.startsWith('@')) return refuse(400, 'Bad Request: chat not found');
  const chat = wanted.startsWith('@')
    ? [...state.chats.values()].find((c) => `@${c.username ?? ''}`.toLowerCase() === wanted.toLowerCase())
    : state.chats.get(wanted);
  if (!chat) return refuse(400, 'Bad Request: chat not found');
  return chat;
}

function mayWrite(chat) {
  if (chat.migratedTo !== undefined)
    return refuse(400, 'Bad Request: group chat was upgraded to a supergroup chat', {
      migrate_to_chat_id: chat.migratedTo,
    });
  if (chat.state === 'kicked') return refuse(403, `Forbidden: bot was kicked from the ${chat.type} chat`);
  const [code, description] = NO_WRITING[chat.state] ?? [];
  if (code !== undefined) return refuse(code, description);
  if (chat.state === 'blocked') return refuse(403, 'Forbidden: bot was blocked by the user');
  if (chat.state === 'readonly')
    return refuse(400, 'Bad Request: not enough rights to send text messages to the chat');
  return undefined;
}

/** Client.cpp, check_chat and what Telegram itself answers. */
const NO_WRITING = {
  left: [403, 'Forbidden: bot is not a member of the supergroup chat'],
  deleted: [403, 'Forbidden: the group chat was deleted'],
  deactivated: [403, 'Forbidden: user is deactivated'],
  'not-started': [403, "Forbidden: bot can't initiate conversation with a user"],
  'no-admin': [400, 'Bad Request: need administrator rights in the channel chat'],
  muted: [400, 'Bad Request: CHAT_WRITE_FORBIDDEN'],
};

/** Strikes when the bot says too much: at most perSecond in any second, perMinute in any minute, per chat. */
function limit(state, chat, now) {
  if (!state.limits) return undefined;
  const times = [...state.sent, ...state.edits]
    .filter((m) => m.chatId === String(chat.id))
    .map((m) => m.at)
    .toSorted((a, b) => a - b);
  for (const [count, window] of [
    [state.limits.perSecond, 1000],
    [state.limits.perMinute, 60_000],
  ]) {
    if (!count) continue;
    const within = times.filter((at) => now - at < window);
    if (within.length >= count) {
      const oldest = within[within.length - count] ?? now;
      return tooMany(Math.max(1, Math.ceil((window - (now - oldest)) / 1000)));
    }
  }
  return undefined;
}

function sendMessage(state, fields) {
  const now = state.now();
  const chat = findChat(state, fields.chat_id);
  if ('status' in chat) return chat;
  if (fields.text !== undefined && typeof fields.text !== 'string')
    return refuse(400, 'Bad Request: field "text" must be of type String');
  const parsed = parseText(fields.text ?? '', fields.parse_mode);
  if (parsed.error) return refuse(400, `Bad Request: ${parsed.error}`);
  if (parsed.plain === '') return refuse(400, 'Bad Request: message text is empty');
  if (parsed.plain.length > TEXT_MAX) return refuse(400, 'Bad Request: message is too long');
  if (isWrongPreview(fields)) return refuse(400, "Bad Request: can't parse link preview options JSON object");
  const no =
    mayWrite(chat) ?? wrongPlace(state, chat, fields) ?? wrongMarkup(fields) ?? limit(state, chat, now);
  if (no) return no;
  return ok(
    accept(state, chat, { at: now, method: 'sendMessage', text: fields.text, plain: parsed.plain, fields }),
  );
}

function sendPhoto(state, fields, files) {
  const now = state.now();
  const chat = findChat(state, fields.chat_id);
  if ('status' in chat) return chat;
  const photo = files.photo;
  if (!photo) return refuse(400, 'Bad Request: there is no photo in the request');
  if (photo.content.length === 0) return refuse(400, 'Bad Request: file must be non-empty');
  if (photo.content.length > PHOTO_MAX) return refuse(413, 'Request Entity Too Large');
  if (!isPng(photo.content)) return refuse(400, 'Bad Request: IMAGE_PROCESS_FAILED');
  const parsed = parseText(fields.caption ?? '', fields.parse_mode);
  if (parsed.error) return refuse(400, `Bad Request: ${parsed.error}`);
  if (parsed.plain.length > CAPTION_MAX) return refuse(400, 'Bad Request: message caption is too long');
  const no =
    mayWrite(chat) ?? wrongPlace(state, chat, fields) ?? wrongMarkup(fields) ?? limit(state, chat, now);
  if (no) return no;
  return ok(
    accept(state, chat, {
      at: now,
      method: 'sendPhoto',
      text: fields.caption ?? '',
      plain: parsed.plain,
      fields,
      photo: { filename: photo.filename, bytes: photo.content.length, content: photo.content },
    }),
  );
}

/** Signature, a header chunk with a size, and an end: what a cut file does not have. */
function isPng(content) {
  return (
    content.subarray(0, 8).equals(PNG) &&
    content.length >= 45 &&
    content.toString('latin1', 12, 16) === 'IHDR' &&
    content.readUInt32BE(16) > 0 &&
    content.readUInt32BE(20) > 0 &&
    content.subarray(-12, -4).equals(Buffer.from([0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44]))
  );
}

/** A supergroup and a channel count their messages by themselves, private chats and groups all together. */
function numbersOf({ id, type }) {
  return type === 'supergroup' || type === 'channel' ? String(id) : 'account';
}

function nextMessageId(state, chat) {
  const row = numbersOf(chat);
  const id = (state.lastMessageIds.get(row) ?? 0) + 1;
  state.lastMessageIds.set(row, id);
  return id;
}

function accept(state, chat, { fields, ...message }) {
  const reply = jsonField(fields.reply_parameters);
  const keyboard = jsonField(fields.reply_markup)?.inline_keyboard;
  const entry = {
    id: nextMessageId(state, chat),
    ...message,
    chatId: String(chat.id),
    parseMode: fields.parse_mode,
    silent: fields.disable_notification === true || fields.disable_notification === 'true',
    ...(fields.message_thread_id === undefined || !chat.topics
      ? {}
      : { threadId: Number(fields.message_thread_id) }),
    ...(reply && state.messages.has(`${chat.id}/${reply.message_id}`) ? { replyTo: reply.message_id } : {}),
    ...(keyboard ? { keyboard } : {}),
  };
  state.sent.push(entry);
  state.messages.set(`${chat.id}/${entry.id}`, {
    id: entry.id,
    chatId: entry.chatId,
    plain: entry.plain,
    photo: entry.photo !== undefined,
    keyboard: keyboard ?? [],
    threadId: entry.threadId,
  });
  state.onSent?.(entry);
  changed(state);
  return {
    message_id: entry.id,
    date: Math.floor(entry.at / 1000),
    chat: describe(chat),
    ...(entry.threadId === undefined ? {} : { message_thread_id: entry.threadId, is_topic_message: true }),
    ...(message.photo
      ? { photo: [{ file_id: `p${entry.id}`, width: 1, height: 1 }], caption: entry.plain }
      : { text: entry.plain }),
  };
}

/** Queues an update unless the last getUpdates did not want its kind. */
function push(state, update) {
  const kind = Object.keys(update)[0];
  if (state.allowedUpdates && !state.allowedUpdates.includes(kind)) return;
  state.updates.push({ update_id: state.nextUpdateId++, ...update });
  state.poll?.wake();
}

/** Somebody taps a button: `button` is its text, or the data of a forged one. Returns the id of the query. */
function tap(state, message, button, from = ADA, chatId = message.chatId, more = {}) {
  // Client.cpp, JsonCallbackQuery: a signed number of 64 bits as text.
  const id = String(state.nextQueryId++ % 2 === 0 ? state.nextQueryId : -state.nextQueryId);
  const known = state.messages.get(`${message.chatId}/${message.id}`);
  const data = known?.keyboard.flat().find(({ text }) => text === button)?.callback_data ?? button;
  const chat = state.chats.get(String(chatId)) ?? { id: Number(chatId), type: 'private' };
  state.queries.set(id, { at: more.old ? 0 : Date.now(), answered: false });
  push(state, {
    callback_query: {
      id,
      from,
      chat_instance: `instance-${chatId}`,
      data,
      message: more.inaccessible
        ? { message_id: message.id, date: 0, chat: describe(chat) }
        : {
            message_id: message.id,
            date: Math.floor(Date.now() / 1000),
            chat: describe(chat),
            from: { id: Number(state.token.split(':')[0]), is_bot: true, first_name: 'Stand-in' },
            text: known?.plain ?? '',
            reply_markup: { inline_keyboard: known?.keyboard ?? [] },
            ...(known?.threadId === undefined
              ? {}
              : { message_thread_id: known.threadId, is_topic_message: true }),
          },
    },
  });
  return id;
}

const ANOTHER_POLL =
  'terminated by other getUpdates request; make sure that only one bot instance is running';

/**
 * Client.cpp, process_get_updates_query and do_get_updates: a webhook is a conflict; a long poll that begins to wait ends the one
 * that waits already, and the second conflict within 3 s is told 3 s later.
 */
async function getUpdates(state, fields) {
  if (state.webhook)
    return refuse(
      409,
      "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
    );
  const allowed = jsonField(fields.allowed_updates);
  if (allowed !== undefined) {
    if (!Array.isArray(allowed) || allowed.some((kind) => typeof kind !== 'string'))
      return refuse(400, "Bad Request: can't parse allowed updates JSON object");
    state.allowedUpdates = allowed.length === 0 ? undefined : allowed.filter((k) => UPDATE_TYPES.includes(k));
  }
  const offset = Number(fields.offset ?? 0);
  let size = Math.min(100, Math.max(1, Number(fields.limit ?? 100)));
  let timeoutMs = Math.min(50, Math.max(0, Number(fields.timeout ?? 0))) * 1000;
  const sinceSame = offset === state.asked.offset ? Date.now() - state.asked.at : Infinity;
  if (sinceSame < state.sameAgainMs && timeoutMs < state.sameAgainMs) timeoutMs = state.sameAgainMs;
  if (sinceSame < state.sameAgainMs / 6) size = 1;
  state.asked = { offset, at: Date.now() };
  if (offset > 0) state.updates = state.updates.filter((update) => update.update_id >= offset);
  if (offset < 0) state.updates = state.updates.slice(offset);
  if (state.updates.length === 0 && timeoutMs > 0) {
    state.poll?.conflict();
    const ended = await new Promise((resolve) => {
      const timer = setTimeout(() => resolve('time'), timeoutMs);
      const end = (how) => {
        clearTimeout(timer);
        state.stop.signal.removeEventListener('abort', stopped);
        resolve(how);
      };
      const stopped = () => end('time');
      state.poll = {
        wake: () => end('update'),
        conflict: (why = ANOTHER_POLL) => end({ why }),
      };
      state.stop.signal.addEventListener('abort', stopped);
      changed(state);
    });
    if (typeof ended === 'object') {
      const soon = Date.now() < state.nextConflictAt;
      if (soon) await new Promise((resolve) => setTimeout(resolve, state.conflictDelayMs));
      else state.nextConflictAt = Date.now() + state.conflictDelayMs;
      return refuse(409, `Conflict: ${ended.why}`);
    }
    state.poll = undefined;
  }
  return ok(state.updates.slice(0, size));
}

function editMessageText(state, fields) {
  const found = findToEdit(state, fields);
  if ('status' in found) return found;
  const { message } = found;
  if (typeof fields.text !== 'string') return refuse(400, 'Bad Request: message text is empty');
  const parsed = parseText(fields.text, fields.parse_mode);
  if (parsed.error) return refuse(400, `Bad Request: ${parsed.error}`);
  if (parsed.plain === '') return refuse(400, 'Bad Request: message text is empty');
  if (parsed.plain.length > TEXT_MAX) return refuse(400, 'Bad Request: MESSAGE_TOO_LONG');
  if (isWrongPreview(fields)) return refuse(400, "Bad Request: can't parse link preview options JSON object");
  if (message.photo) return refuse(400, 'Bad Request: there is no text in the message to edit');
  return rewrite(state, found, fields, { plain: parsed.plain, text: fields.text });
}

/** What an edit of a text and of a caption have in common, once either is known to be right. */
function rewrite(state, { chat, message }, fields, { plain, text }) {
  const now = state.now();
  const no = mayWrite(chat) ?? wrongMarkup(fields) ?? limit(state, chat, now);
  if (no) return no;
  const keyboard = jsonField(fields.reply_markup)?.inline_keyboard ?? [];
  if (message.plain === plain && JSON.stringify(message.keyboard) === JSON.stringify(keyboard))
    return notModified();
  Object.assign(message, { plain, keyboard });
  return edited(state, chat, message, { at: now, text });
}

function isWrongPreview({ link_preview_options: options }) {
  const value = jsonField(options);
  return value !== undefined && (typeof value !== 'object' || value === null);
}

function editMessageCaption(state, fields) {
  const found = findToEdit(state, fields);
  if ('status' in found) return found;
  const { message } = found;
  const parsed = parseText(String(fields.caption ?? ''), fields.parse_mode);
  if (parsed.error) return refuse(400, `Bad Request: ${parsed.error}`);
  if (parsed.plain.length > CAPTION_MAX) return refuse(400, 'Bad Request: message caption is too long');
  if (!message.photo) return refuse(400, 'Bad Request: there is no caption in the message to edit');
  return rewrite(state, found, fields, { plain: parsed.plain, text: fields.caption });
}

function editMessageReplyMarkup(state, fields) {
  const now = state.now();
  const found = findToEdit(state, fields);
  if ('status' in found) return found;
  const { chat, message } = found;
  const no = mayWrite(chat) ?? wrongMarkup(fields) ?? limit(state, chat, now);
  if (no) return no;
  const keyboard = jsonField(fields.reply_markup)?.inline_keyboard ?? [];
  if (JSON.stringify(message.keyboard) === JSON.stringify(keyboard)) return notModified();
  Object.assign(message, { keyboard });
  return edited(state, chat, message, { at: now, text: undefined });
}

function edited(state, chat, message, { at, text }) {
  const { id, plain, keyboard } = message;
  state.edits.push({ at, messageId: id, chatId: String(chat.id), text, plain, keyboard });
  changed(state);
  return ok({
    message_id: id,
    date: Math.floor(at / 1000),
    edit_date: Math.floor(at / 1000),
    chat: describe(chat),
    text: plain,
  });
}

/** The chat and the message of an edit, or the refusal. */
function findToEdit(state, fields) {
  const chat = findChat(state, fields.chat_id);
  if ('status' in chat) return chat;
  if (fields.message_id === undefined) return refuse(400, 'Bad Request: message identifier is not specified');
  const no = mayWrite(chat);
  if (no) return no;
  const message = state.messages.get(`${chat.id}/${fields.message_id}`);
  if (!message) return refuse(400, 'Bad Request: message to edit not found');
  if (message.foreign) return refuse(400, "Bad Request: message can't be edited");
  return { chat, message };
}

function notModified() {
  return refuse(
    400,
    'Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message',
  );
}

function answerCallbackQuery(state, fields) {
  const query = state.queries.get(String(fields.callback_query_id ?? ''));
  if (!query || query.answered || Date.now() - query.at > QUERY_TTL_MS)
    return refuse(400, 'Bad Request: query is too old and response timeout expired or query ID is invalid');
  if (String(fields.text ?? '').length > ANSWER_MAX) return refuse(400, 'Bad Request: MESSAGE_TOO_LONG');
  query.answered = true;
  state.answers.push({
    at: Date.now(),
    queryId: String(fields.callback_query_id),
    text: fields.text ?? '',
    alert: fields.show_alert === true,
  });
  changed(state);
  return ok(true);
}

function setMyCommands(state, fields) {
  const commands = jsonField(fields.commands);
  if (!Array.isArray(commands)) return refuse(400, 'Bad Request: Expected an Array of BotCommand');
  if (commands.length > 100) return refuse(400, 'Bad Request: BOT_COMMANDS_TOO_MUCH');
  for (const one of commands) {
    if (typeof one?.command !== 'string' || typeof one?.description !== 'string')
      return refuse(400, 'Bad Request: Can\'t parse BotCommand: Field "command" must be of type String');
    if (!/^[a-z0-9_]{1,32}$/.test(one.command)) return refuse(400, 'Bad Request: BOT_COMMAND_INVALID');
    if (one.description.length < 1 || one.description.length > 256)
      return refuse(400, 'Bad Request: BOT_COMMAND_DESCRIPTION_INVALID');
  }
  state.commands = commands;
  return ok(true);
}

/** JSON in JSON, or as a string in it: both are taken. */
function jsonField(value) {
  if (typeof value !== 'string') return value ?? undefined;
  try {
    return JSON.parse(value);
  } catch {
    return Number.NaN; // Nothing that any check takes for a value.
  }
}

/** A topic that is not there, or a message to answer that is not there. */
function wrongPlace(state, chat, fields) {
  if (fields.message_thread_id !== undefined) {
    const thread = Number(fields.message_thread_id);
    const isForum = chat.topics !== undefined || chat.type === 'private';
    // Client.cpp, check_message_topic: elsewhere the number is left out.
    if (isForum && (thread === GENERAL_TOPIC || !chat.topics?.includes(thread)))
      return refuse(400, 'Bad Request: message thread not found');
    if (chat.closedTopics?.includes(thread)) return refuse(400, 'Bad Request: TOPIC_CLOSED');
  }
  const reply = jsonField(fields.reply_parameters);
  if (reply === undefined) return undefined;
  if (typeof reply !== 'object' || reply === null)
    return refuse(400, 'Bad Request: Object expected as reply parameters');
  if (!Number.isInteger(reply.message_id))
    return refuse(400, 'Bad Request: Field "message_id" must be of type Number');
  if (!state.messages.has(`${chat.id}/${reply.message_id}`) && reply.allow_sending_without_reply !== true)
    return refuse(400, 'Bad Request: message to be replied not found');
  return undefined;
}

function wrongMarkup(fields) {
  const markup = jsonField(fields.reply_markup);
  if (markup === undefined) return undefined;
  if (typeof markup !== 'object' || markup === null)
    return refuse(400, 'Bad Request: object expected as reply markup');
  const rows = markup.inline_keyboard;
  if (!Array.isArray(rows) || rows.some((row) => !Array.isArray(row)))
    return refuse(
      400,
      'Bad Request: Field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays',
    );
  if (rows.flat().length > BUTTONS_MAX || rows.some((row) => row.length > ROW_MAX))
    return refuse(400, 'Bad Request: reply markup is too long');
  for (const button of rows.flat()) {
    if (typeof button?.text !== 'string' || button.text === '')
      return refuse(400, 'Bad Request: Field "text" must be of type String');
    const kinds = Object.keys(button).filter(
      (key) => !['text', 'style', 'icon_custom_emoji_id'].includes(key),
    );
    if (!STYLES.includes(String(button.style ?? '').toLowerCase()))
      return refuse(400, "Bad Request: can't parse inline keyboard button: invalid button style specified");
    if (kinds.length !== 1)
      return refuse(400, 'Bad Request: Text buttons are unallowed in the inline keyboard');
    if (kinds[0] !== 'callback_data') continue;
    const bytes = Buffer.byteLength(String(button.callback_data));
    if (bytes < 1 || bytes > DATA_MAX) return refuse(400, 'Bad Request: BUTTON_DATA_INVALID');
  }
  return undefined;
}

// ---------------------------------------------------------------------------------------------------------------- HTML

function parseText(text, mode) {
  if (Buffer.byteLength(text) > RAW_MAX_BYTES) return { error: 'Text is too long' };
  if (mode === undefined || mode === '' || mode === null) return { plain: text.trim() };
  if (String(mode).toLowerCase() !== 'html') return { error: 'unsupported parse_mode' };
  try {
    return { plain: parseHtml(text) };
  } catch (error) {
    return { error: `can't parse entities: ${error.message}` };
  }
}

/** Text without its tags. Throws with Telegram's own sentences, with offsets in bytes of UTF-8. */
export function parseHtml(html) {
  const open = [];
  let plain = '';
  let i = 0;
  const fail = (what, at) => {
    throw new Error(`${what} at byte offset ${Buffer.byteLength(html.slice(0, at))}`);
  };
  while (i < html.length) {
    const c = html[i];
    if (c === '&') {
      const entity = /^&(?:(lt|gt|amp|quot)|#(\d{1,7})|#x([0-9a-fA-F]{1,6}));/.exec(html.slice(i, i + 12));
      if (!entity) fail('Unescaped character "&"', i);
      plain += decode(entity);
      i += entity[0].length;
    } else if (c === '>') fail('Unescaped character ">"', i);
    else if (c !== '<') plain += html[i++];
    else {
      const end = tagEnd(html, i);
      const inside = html.slice(i + 1, end < 0 ? html.length : end);
      if (inside.startsWith('/')) {
        if (open.length === 0) fail('Unexpected end tag', i);
        if (end < 0) fail('Unclosed end tag', i);
        const name = inside.slice(1).trim().toLowerCase();
        const expected = open.pop();
        if (name !== expected) fail(`Unmatched end tag, expected "</${expected}>", found "</${name}>"`, i);
      } else {
        const name = /^[^\s>]*/.exec(inside)[0].toLowerCase();
        if (end < 0) fail('Unclosed start tag', i);
        if (!TAGS.has(name)) fail(`Unsupported start tag "${name}"`, i);
        checkAttributes(name, inside.slice(name.length), open, (what) => fail(what, i));
        open.push(name);
      }
      i = end + 1;
    }
  }
  if (open.length > 0) throw new Error(`Can't find end tag corresponding to start tag "${open.at(-1)}"`);
  return plain.trim();
}

/** Index of the `>` that ends the tag beginning at `start`; quoted attribute values may hold one. -1: none. */
function tagEnd(html, start) {
  let quote = '';
  for (let i = start + 1; i < html.length; i++) {
    const c = html[i];
    if (quote) {
      if (c === quote) quote = '';
    } else if (c === '"' || c === "'") quote = c;
    else if (c === '>') return i;
    else if (c === '<') return -1;
  }
  return -1;
}

const ALLOWED = {
  a: /^\s+href="[^"<>]+"$/,
  code: /^\s+class="language-[^"<>]+"$/,
  span: /^\s+class="tg-spoiler"$/,
  blockquote: /^\s+expandable$/,
  'tg-time': /^\s+unix="\d+"(?:\s+format="[^"<>]*")?$/,
  'tg-emoji': /^\s+emoji-id="\d+"$/,
};
function checkAttributes(name, rest, open, fail) {
  if (name === 'span' && !ALLOWED.span.test(rest)) fail('Tag "span" must have class "tg-spoiler"');
  if (rest.trim() !== '' && !ALLOWED[name]?.test(rest)) fail(`Unexpected attribute in the tag "${name}"`);
  if (name === 'a' && rest.trim() === '') fail('Tag "a" without href');
  if (name === 'blockquote' && open.includes('blockquote')) fail('Nested blockquote');
  if ((open.includes('pre') || open.includes('code')) && !(open.at(-1) === 'pre' && name === 'code'))
    fail(`Entity "${name}" inside of "${open.at(-1)}"`);
}

function decode([, named, decimal, hex]) {
  if (named) return { lt: '<', gt: '>', amp: '&', quot: '"' }[named];
  const code = decimal ? Number(decimal) : Number.parseInt(hex, 16);
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : '';
}

// -------------------------------------------------------------------------------------------- as a program of its own

/** GET /standin/sent, messages, edits, answers, calls; POST /standin/faults, always, chat, update, push, tap, clear. */
function steer(state, url, method, body, response) {
  const what = url.pathname.slice('/standin/'.length);
  const json = body.length > 0 ? JSON.parse(body.toString('utf8')) : undefined;
  const without = ({ photo, ...rest }) =>
    photo ? { ...rest, photo: { ...photo, content: undefined } } : rest;
  if (method === 'GET' && what === 'sent')
    return answer(response, { status: 200, body: state.sent.map(without) });
  if (method === 'GET' && what === 'calls') return answer(response, { status: 200, body: state.calls });
  if (method === 'GET' && what === 'messages')
    return answer(response, { status: 200, body: [...state.messages.values()] });
  if (method === 'GET' && what === 'edits') return answer(response, { status: 200, body: state.edits });
  if (method === 'GET' && what === 'answers') return answer(response, { status: 200, body: state.answers });
  if (method !== 'POST') return answer(response, refuse(404, 'Not Found'));
  if (what === 'faults') state.faults = json.map(normalFault);
  else if (what === 'always') state.always = json ? normalFault(json) : undefined;
  else if (what === 'chat') state.chats.set(String(json.id), { state: 'ok', ...json });
  else if (what === 'update') push(state, { message: json });
  else if (what === 'push') push(state, json);
  else if (what === 'tap') {
    const id = tap(state, json.message, json.button, json.from);
    return answer(response, { status: 200, body: { ok: true, result: id } });
  } else if (what === 'clear') {
    state.sent.length = 0;
    state.calls.length = 0;
    state.faults = [];
    state.always = undefined;
  } else return answer(response, refuse(404, 'Not Found'));
  answer(response, { status: 200, body: { ok: true } });
}

/** node telegram.js [--port N] [--host H] [--token T] [--chat ID]... [--record FILE.ndjson] [--limits] */
async function main(args) {
  const value = (name) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
  const chats = args.flatMap((arg, i) => (arg === '--chat' ? [args[i + 1]] : []));
  const record = value('--record');
  // Telegram forgets no message when the machine that it runs on in the tests is switched off.
  const lines = record && existsSync(record) ? readFileSync(record, 'utf8').split('\n') : [];
  const telegram = await startTelegram({
    control: true,
    earlier: lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line)),
    port: Number(value('--port') ?? 0),
    host: value('--host') ?? '127.0.0.1',
    token: value('--token') ?? DEFAULT_TOKEN,
    chats: (chats.length > 0 ? chats : [DEFAULT_CHAT]).map((id) => ({
      id: Number(id),
      type: Number(id) < 0 ? 'supergroup' : 'private',
      title: 'Ops',
    })),
    ...(args.includes('--limits') ? { limits: { perSecond: 1, perMinute: 20 } } : {}),
    onSent(message) {
      const { photo, ...rest } = message;
      if (!record) return;
      appendFileSync(record, `${JSON.stringify({ at: Date.now(), ...rest, photoBytes: photo?.bytes })}\n`);
      if (photo) writeFileSync(`${record}-${rest.id}.png`, photo.content);
    },
  });
  process.stdout.write(
    `${JSON.stringify({ url: telegram.url, token: telegram.token, chatId: telegram.chatId })}\n`,
  );
  for (const signal of ['SIGTERM', 'SIGINT'])
    process.on(signal, () => telegram.close().then(() => process.exit(0)));
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  await main(process.argv.slice(2));
