import { DURATION_EXAMPLES, parseDuration } from '../model/duration.ts';
import { isoTime, plain } from '../model/text.ts';
import { incidentToJson, renderIncident, renderIncidents } from '../outputs/terminal/incidents.ts';
import { renderRecording, recordingToJson } from '../outputs/terminal/recording.ts';
import { styleFor } from '../outputs/terminal/style.ts';
import { decodeRecording } from '../recorder/ring.ts';
import { incidentById, incidentsSince, newestIncidentId } from '../store/incidents.ts';
import { recordingOf } from '../store/recordings.ts';
import type { Db } from '../store/db.ts';
import type { CommandContext } from './context.ts';
import { readStore } from './read-store.ts';
import { giveUp, printJson } from './io.ts';

/** More than this are only shown with a shorter `--since`. */
const MOST = 1000;

/** `vpsmon incidents`, or `vpsmon incidents show ID`. Exit 3 for other words. */
export async function incidents(
  context: CommandContext,
  show: string | undefined,
  id: string | undefined,
  since: string,
): Promise<number> {
  if (show === undefined) return incidentsList(context, since);
  if (show === 'show') return incidentsShow(context, id);
  return giveUp(
    context.io,
    `\`incidents ${plain(show, 40)}\` is not known. Try \`vpsmon incidents\` or \`vpsmon incidents show ID\`.`,
  );
}

/** `vpsmon incidents [--since 24h]`: what is open and what happened. Exit 0; 2 when the store cannot be read, 3 for a bad duration. */
export async function incidentsList(context: CommandContext, since: string): Promise<number> {
  const { io, options, system } = context;
  const sinceMs = parseDuration(since);
  if (sinceMs === undefined)
    return giveUp(io, `--since expects a duration like ${DURATION_EXAMPLES}, not \`${plain(since, 40)}\`.`);
  const now = system.clock.now();
  return withStore(context, (db) => {
    const incidents = db === undefined ? [] : incidentsSince(db, now - sinceMs, MOST);
    if (options.json) {
      const list = incidents.map((incident) => incidentToJson(incident, now));
      printJson(io, { version: 1, since: isoTime(now - sinceMs), incidents: list });
      return 0;
    }
    io.out(renderIncidents({ incidents, now, since: plain(since, 40), ...io }));
    if (incidents.length === MOST) io.err(`Only the newest ${MOST} are shown; ask for less with --since.`);
    return 0;
  });
}

/** `vpsmon incidents show ID`. Exit 0; 2 when there is no such incident, 3 when the number is none. */
export async function incidentsShow(context: CommandContext, id: string | undefined): Promise<number> {
  const { io, options, system } = context;
  const number = id !== undefined && /^#?\d{1,15}$/.test(id) ? Number(id.replace('#', '')) : undefined;
  if (number === undefined) {
    const given = id === undefined ? 'none was given' : `not \`${plain(id, 40)}\``;
    return giveUp(
      io,
      `\`incidents show\` expects the number of an incident, as \`vpsmon incidents\` lists it; ${given}.`,
    );
  }
  const now = system.clock.now();
  return withStore(context, (db) => {
    const incident = db && incidentById(db, number);
    const stored = db && recordingOf(db, number);
    const recording = stored && decodeRecording(stored.data);
    if (!incident) {
      const newest = db ? newestIncidentId(db) : 0;
      const hint = newest === 0 ? 'none is recorded yet' : `the newest one is ${newest}`;
      return giveUp(
        io,
        `there is no incident ${number}; ${hint}. \`vpsmon incidents --since 90d\` lists them.`,
        2,
      );
    }
    if (stored && !recording) io.err('vpsmon: the recording of the minutes before cannot be read.');
    if (options.json) {
      const json = {
        ...incidentToJson(incident, now),
        before: stored?.lines ?? [],
        recording: recording ? recordingToJson(recording) : null,
      };
      printJson(io, { version: 1, incident: json });
    } else {
      io.out(renderIncident(incident, { now, ...io }));
      if (recording) io.out(`${renderRecording(recording, styleFor(io.color), io.columns).join('\n')}\n`);
    }
    return 0;
  });
}

/** No store yet is as good as an empty one. `work` gets undefined then. */
function withStore(context: CommandContext, work: (db: Db | undefined) => number): number {
  const hint = '`vpsmon monitor` records incidents while it runs.';
  const code = readStore<number | 'none'>(context, 'the incidents', { nothing: 'none', hint }, work);
  return code === 'none' ? work(undefined) : (code ?? 2);
}
