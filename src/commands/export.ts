import { suggest } from '../config/suggest.ts';
import type { Snapshot } from '../model/sources.ts';
import { errorText } from '../model/text.ts';
import { SECTIONS, type Section } from '../model/sources/source.ts';
import { filterSection, renderPrometheus } from '../outputs/prometheus/prometheus.ts';
import { VERSION } from '../version.ts';
import type { CommandContext } from './context.ts';
import {
  askMonitor,
  describeMetrics,
  metricsFile,
  writeMetrics,
  type MetricsText,
} from './export-monitor.ts';
import { giveUp, writesToJournal } from './io.ts';

/** Reads everything by itself; loaded only when nobody else has a fresh reading. */
export type Collect = (context: CommandContext) => Promise<Snapshot>;

/** Writes metrics/vpsmon.prom, or prints it. Exit 0; 3 for an unknown section or a file that cannot be written. */
export async function exportMetrics(
  context: CommandContext,
  section: string,
  stdout: boolean,
  collect: Collect = readByItself,
): Promise<number> {
  const { io, config, options } = context;
  if (!isSection(section)) {
    const near = suggest(section, ['all', ...SECTIONS]);
    return giveUp(
      io,
      `there is no section "${section}": ${near ? `did you mean ${near}?` : `all, ${SECTIONS.join(', ')}`}`,
    );
  }
  const { text: whole, from } =
    (await askMonitor(config.stateDir, context.system.clock.now())) ??
    (await withoutMonitor(context, collect));
  const text = section === 'all' ? whole : filterSection(whole, section);
  if (stdout) {
    if (text !== '') io.out(text);
    return 0;
  }
  const metrics = { text, from };
  if (options.dryRun) {
    io.out(`Would write ${describeMetrics(config.stateDir, metrics)}`);
    return 0;
  }
  let wrote: string;
  try {
    wrote = writeMetrics(config.stateDir, metrics);
  } catch (error) {
    return giveUp(io, `${metricsFile(config.stateDir)} cannot be written: ${errorText(error)}`);
  }
  // Once a minute: the file itself says that all is well.
  if (!writesToJournal(context)) io.out(wrote);
  return 0;
}

function isSection(section: string): section is Section | 'all' {
  return section === 'all' || (SECTIONS as readonly string[]).includes(section);
}

/** The last check that the monitor saved, where it is fresh; else an own reading. */
async function withoutMonitor(context: CommandContext, collect: Collect): Promise<MetricsText> {
  const { config, system } = context;
  const [{ lossOf, openStore }, { createHistory }, { openIncidents }, { alertCounts }, { leftOffIn }] =
    await Promise.all([
      import('../store/open.ts'),
      import('../store/history/history.ts'),
      import('../store/incidents.ts'),
      import('../store/outbox.ts'),
      import('../store/left-off.ts'),
    ]);
  const now = system.clock.now();
  const store = openStore(config.stateDir, now);
  const loss = lossOf(store);
  if (loss !== undefined) context.io.err(`vpsmon: the database ${loss}; a new one is begun`);
  try {
    const maxAge = Math.max(90_000, 2 * config.settings.SERVICE_CHECK_INTERVAL * 1000);
    const saved = createHistory(store.db).latest(now, maxAge);
    const render = (snapshot: Snapshot): string =>
      renderPrometheus({
        snapshot,
        version: VERSION,
        counts: alertCounts(store.db).accepted,
        openIncidents: openIncidents(store.db).filter(({ state }) => state === 'firing'),
        leftOff: leftOffIn(store.db),
      });
    const kept = saved && renderKept(saved, render);
    if (kept !== undefined)
      return {
        text: kept,
        from: `from the last check of the monitor, ${Math.round((now - saved!.at) / 1000)} s old`,
      };
    return { text: render(await collect(context)), from: 'read just now' };
  } finally {
    store.close();
  }
}

/** Undefined where what was kept is no snapshot of this version. */
function renderKept(saved: Snapshot, render: (snapshot: Snapshot) => string): string | undefined {
  try {
    return render(saved);
  } catch {
    return undefined;
  }
}

/** One check, by this process. */
export async function readByItself(context: CommandContext): Promise<Snapshot> {
  const { checkOnce } = await import('./monitor-once.ts');
  return checkOnce(context);
}
