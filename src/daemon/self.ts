import type { Finding } from '../model/finding.ts';
import type { RuleId } from '../model/rules.ts';
import { formatDuration } from '../model/text.ts';
import type { Monitor } from './types.ts';

/** What is wrong with the monitor itself. */
export function judgeSelf(monitor: Monitor): Finding[] {
  const { state, delivery } = monitor;
  const intervalMs = monitor.config.settings.SERVICE_CHECK_INTERVAL * 1000;
  const refused = delivery.refused();
  const took = state.lastTookMs ?? 0;
  const fault = whyNotKept(monitor);
  const news = folderNews(monitor);
  return [
    self(
      'watcher-telegram',
      refused !== undefined,
      `Telegram refuses messages: ${refused ?? ''}`,
      'Telegram accepts messages',
    ),
    self(
      'watcher-state',
      fault !== undefined || news !== undefined,
      fault === undefined
        ? (news ?? '')
        : `The state folder ${monitor.config.stateDir} cannot be used (${fault}): history and alerts are kept in memory only`,
      'The state folder is writable',
    ),
    {
      ...self(
        'watcher-settings',
        state.badSettings !== undefined,
        `The settings have mistakes (${state.badSettings ?? ''}): the ones from before stay in force`,
        'The settings are right again',
      ),
      details: [
        'What helps: `vpsmon config check` shows each; `systemctl reload vps-monitor` reads them anew',
      ],
    },
    {
      ...self(
        'watcher-overrun',
        took > intervalMs,
        `A check took ${formatDuration(took)}, longer than the ${formatDuration(intervalMs)} between two`,
        'Checks end in time',
      ),
      value: took / 1000,
      limit: intervalMs / 1000,
      unit: 'seconds',
    },
  ];
}

/** Why nothing can be kept at the moment; undefined while all is well. */
export function whyNotKept({ store, pipeline, state }: Monitor): string | undefined {
  return state.folderError ?? store.trouble ?? pipeline.trouble() ?? state.saveError;
}

/** What happened to the state folder lately: it was removed and made anew, or a damaged database was set aside. */
export function folderNews({ state, system }: Monitor): string | undefined {
  const { folderNews: news } = state;
  return news && system.clock.monotonic() < news.until ? news.text : undefined;
}

function self(rule: RuleId, breach: boolean, bad: string, good: string): Finding {
  return {
    rule,
    subject: 'vpsmon',
    severity: 'warning',
    verdict: breach ? 'breach' : 'ok',
    text: breach ? bad : good,
  };
}
