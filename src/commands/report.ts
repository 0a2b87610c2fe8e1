import { serverName } from '../config/server-name.ts';
import { join } from 'node:path';
import { suggest } from '../config/suggest.ts';
import type { Snapshot } from '../model/sources.ts';
import { defined } from '../model/defined.ts';
import { parseDuration } from '../model/duration.ts';
import type { Message } from '../model/message.ts';
import { errorText, escapeHtml, maskSecrets, plain } from '../model/text.ts';
import type { ChartInput } from '../outputs/report/chart.ts';
import { dailyReportJson } from '../outputs/report/json.ts';
import { dayName, renderDailyReport } from '../outputs/report/report.ts';
import { chartCaption } from '../outputs/telegram/monitor.ts';
import type { DeliveryState } from '../notify/state.ts';
import { createHistory } from '../store/history/history.ts';
import { lossOf, openStore, type Store } from '../store/open.ts';
import { ensureFolder, removeFiles } from '../system/folders.ts';
import { writeAtomically } from '../system/write-file.ts';
import type { CommandContext } from './context.ts';
import { readByItself } from './export.ts';
import { gatherReport, type Gathered } from './report-data.ts';
import { giveUp, printJson } from './io.ts';

/** How long `report telegram` waits for Telegram; after that, the monitor sends what waits. */
const SEND_MS = 30_000;
const KEEP_DAYS = 90;
/** In place of the number of a message: there is one already. */
const ANSWERED = 0;
const HOUR_MS = 3_600_000;
const LONGEST_CHART_MS = 90 * 24 * HOUR_MS;

/** A chat or topic of its own, and the number of what somebody asked for there. */
type Recipient = { to?: string; asked?: string };

export type ReportTools = {
  /** Reads everything, where no running monitor has saved a fresh check. */
  collect(context: CommandContext): Promise<Snapshot>;
  /** Draws the chart; rejects where this machine cannot. */
  draw(chart: ChartInput): Promise<Buffer>;
};

/**
 * The daily report: printed, or sent; always saved in the state folder with its picture. Exit 0; 2 when it could not be sent;
 * 3 for wrong usage.
 */
export async function report(
  context: CommandContext,
  where: string,
  tools: ReportTools = { collect: readByItself, draw: drawChart },
  asked: Recipient & { chart?: string } = {},
): Promise<number> {
  const { io, config, system } = context;
  if (where !== 'console' && where !== 'telegram') {
    const near = suggest(where, ['console', 'telegram']);
    return giveUp(
      io,
      `a report goes to console or telegram, not to "${where}"${near ? `: did you mean ${near}?` : ''}`,
    );
  }
  const spanMs = asked.chart === undefined ? undefined : parseDuration(asked.chart);
  if (asked.chart !== undefined && (spanMs === undefined || spanMs < HOUR_MS || spanMs > LONGEST_CHART_MS))
    return giveUp(io, `a chart is of 1h to 90d, not of \`${plain(asked.chart, 40)}\``);
  const at = system.clock.now();
  const store = openStore(config.stateDir, at);
  const making: Making = { context, tools, store, at, recipient: asked };
  try {
    const loss = lossOf(store);
    if (loss !== undefined) io.err(`vpsmon: the database ${loss}; the history begins anew.`);
    if (store.trouble)
      io.err(`vpsmon: the state folder cannot be used: ${store.trouble}. There is no history.`);
    if (spanMs !== undefined) return await sendChart(making, spanMs, plain(asked.chart ?? '', 10));
    return await gatherAndSend(making, where);
  } catch (error) {
    return await sendWithout(making, where, error);
  } finally {
    store.close();
  }
}

type Where = 'console' | 'telegram';
/** What one report is made with. */
type Making = {
  context: CommandContext;
  tools: ReportTools;
  store: Store;
  at: number;
  recipient: Recipient;
};

/** A report that stays away looks like a server that is gone: where it was expected a message has the reason. Exit 3. */
async function sendWithout(making: Making, where: Where, error: unknown): Promise<number> {
  const { io, options, config, system, secrets } = making.context;
  const server = plain(serverName(config, system.files), 80);
  const why = maskSecrets(
    `There is no daily report of ${server} today: it could not be made (${errorText(error)}).`,
    secrets,
  );
  io.err(`vpsmon: ${why}`);
  if (where === 'telegram' && !options.dryRun)
    await send(making, { kind: 'daily-report', html: escapeHtml(why) }, undefined);
  return 3;
}

async function gatherAndSend(making: Making, where: Where): Promise<number> {
  const { context, at } = making;
  const { io, options, config } = context;
  const { data, chart } = await gather(making);
  const { html, text } = renderDailyReport(data);

  const path = join(config.stateDir, 'reports', `${dayName(at)}.txt`);
  let photoPath: string | undefined;
  if (!options.dryRun) {
    save(context, path, text, at);
    photoPath = await savePicture(making, chart, path.replace(/\.txt$/, '.png'));
  }
  if (options.json) printJson(io, dailyReportJson(data));
  else if (where === 'console' || options.dryRun) io.out(text);
  if (options.dryRun) {
    io.err(`Would save ${path} and its picture${where === 'telegram' ? ', and send both to Telegram' : ''}.`);
    return 0;
  }
  return where === 'telegram' ? await send(making, { kind: 'daily-report', html }, photoPath) : 0;
}

/** `spanMs`: what the report is about; default a day. */
async function gather({ context, tools, store, at }: Making, spanMs?: number): Promise<Gathered> {
  const { config, system } = context;
  const { files } = system;
  const { db } = store;
  const history = createHistory(db);
  const maxAge = Math.max(120_000, 3 * config.settings.SERVICE_CHECK_INTERVAL * 1000);
  const snapshot = history.latest(at, maxAge) ?? (await tools.collect(context));
  const hostname = serverName(config, files);
  return gatherReport({ db, history, config, snapshot, hostname, files, at, spanMs });
}

/** Only the picture, of as long as somebody asked for. Exit 0; 2 when there is none, or it could not be sent. */
async function sendChart(making: Making, spanMs: number, period: string): Promise<number> {
  const { data, chart } = await gather(making, spanMs);
  const folder = join(making.context.config.stateDir, 'reports');
  ensureFolder(folder, 0o700);
  const path = join(folder, `${dayName(making.at)}-chart-${period}.png`);
  const photoPath = await savePicture(making, chart, path);
  if (photoPath === undefined) return 2;
  return send(making, { kind: 'chart', html: chartCaption(data.hostname, period) }, photoPath);
}

/** Saves the text; a folder that cannot be written is a line on stderr, and no reason to send nothing. */
function save({ io, config }: CommandContext, path: string, text: string, at: number): void {
  const folder = join(config.stateDir, 'reports');
  try {
    ensureFolder(folder, 0o700);
    writeAtomically(path, text, 0o600);
    io.err(`Saved ${path}`);
    const oldest = dayName(at - KEEP_DAYS * 86_400_000);
    removeFiles(
      folder,
      (name) => /^\d{4}-\d{2}-\d{2}(?:-chart-\w+)?\.(?:txt|png)$/.test(name) && name.slice(0, 10) < oldest,
    );
  } catch (error) {
    io.err(`vpsmon: the report cannot be saved: ${errorText(error)}`);
  }
}

/** Without its picture the report is still a report. */
async function savePicture(
  { context: { io }, tools }: Making,
  chart: ChartInput,
  path: string,
): Promise<string | undefined> {
  if (chart.panels.every(({ points }) => points.length < 2)) {
    io.err('No picture: there is not enough history yet.');
    return undefined;
  }
  try {
    writeAtomically(path, await tools.draw(chart), 0o600);
    return path;
  } catch (error) {
    io.err(`vpsmon: no picture: ${errorText(error)}`);
    return undefined;
  }
}

async function send(
  { context, store, at, recipient: { to, asked } }: Making,
  what: Pick<Message, 'kind' | 'html'>,
  photoPath: string | undefined,
): Promise<number> {
  const { config, system, io } = context;
  const [{ openOutbox }, { openDelivery }, { markAnswered }] = await Promise.all([
    import('../store/outbox.ts'),
    import('../notify/delivery.ts'),
    import('../notify/asked.ts'),
  ]);
  const outbox = openOutbox(store.db);
  const message: Message = {
    at,
    severity: 'info',
    subject: 'host',
    ...what,
    ...defined({ photoPath, target: to }),
  };
  const delivery = openDelivery(store, config, system);
  // Where the state folder cannot be used nothing of it is known.
  const isAnswer = asked !== undefined && store.trouble === undefined;
  let id: number | undefined;
  try {
    id = outbox.within(() =>
      isAnswer && !markAnswered(store.db, Number(asked), at) ? ANSWERED : outbox.enqueue(message),
    );
  } catch (error) {
    io.err(`vpsmon: the report cannot be kept until it is sent: ${errorText(error)}`);
    delivery.sendUnsaved(message);
  }
  if (id === ANSWERED) {
    io.err('It was answered already.');
    return 0;
  }
  await delivery.drain(SEND_MS);
  const mine = outbox.waiting().find((row) => row.id === id);
  const isLost = id === undefined && delivery.unsaved().length > 0;
  const [code, text] = whatBecame(delivery.state(), isLost ? 'lost' : mine);
  io.err(text);
  return code;
}

/** Exit code and sentence. `row`: what still waits; undefined: it was sent. */
function whatBecame(
  state: DeliveryState,
  row: { lastError?: string } | 'lost' | undefined,
): [number, string] {
  if (!state.configured)
    return [2, 'vpsmon: Telegram is not configured, so that the report was saved only: run `vpsmon setup`.'];
  if (row === undefined) return [0, 'Sent to Telegram.'];
  const { failing, refused } = state;
  if (row === 'lost')
    return [
      2,
      `vpsmon: the report could be neither kept nor sent: ${failing ?? 'Telegram does not answer'}.`,
    ];
  if (refused) return [2, `vpsmon: Telegram refuses the report: ${refused}. It is kept and tried again.`];
  const why = failing ?? row.lastError ?? 'others are sent before it';
  return [0, `vpsmon: the report waits: ${why}. It is sent as soon as that works.`];
}

async function drawChart(chart: ChartInput): Promise<Buffer> {
  const [{ renderChart, CHART_WIDTH }, { rasterize }] = await Promise.all([
    import('../outputs/report/chart.ts'),
    import('../system/rasterize.ts'),
  ]);
  return rasterize(renderChart(chart), 2 * CHART_WIDTH);
}
