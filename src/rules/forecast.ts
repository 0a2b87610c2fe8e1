import { formatValue, type Finding } from '../model/finding.ts';
import type { Forecast } from '../model/forecast.ts';
import { forecastAdvice, forecastDetails, forecastName, forecastSentence } from '../model/forecast-text.ts';
import type { Judge } from './types.ts';

/** Of what there is. */
const NEARLY_ALL = 0.95;

/**
 * What runs out within FORECAST_WARNING_HOURS, and because of whom. What is not announced any more is fine.
 * Nothing is followed without the host; the other sources of a forecast keep what they had when they fail.
 */
export const forecast: Judge<'host'> = (_host, { snapshot, past, config }) =>
  past.forecasts.map((one): Finding => {
    const about = {
      rule: 'forecast' as const,
      ...whom(one),
    };
    if (!one.growth)
      return {
        ...about,
        severity: 'warning',
        verdict: 'ok',
        text: endOf(one),
      };
    // It was announced before a restart of the monitor, and has not been seen since.
    if (!(one.capacity > 0))
      return {
        ...about,
        severity: 'warning',
        verdict: 'unknown',
        text: `${forecastName(one)} has not been read yet`,
      };
    const { growth } = one;
    // The first message is the one that is read: it can wait for a Docker that starts with the server.
    if (one.beforeContainers && snapshot.readings.docker.state === 'failed' && growth.severity === 'warning')
      return {
        ...about,
        severity: 'warning',
        verdict: 'unknown',
        text: `${forecastName(one)}: growth is seen, and the containers have not been read yet`,
      };
    const { FORECAST_WARNING_HOURS, FORECAST_CRITICAL_HOURS } = config.settings;
    const limit = growth.severity === 'critical' ? FORECAST_CRITICAL_HOURS : FORECAST_WARNING_HOURS;
    return {
      ...about,
      severity: growth.severity,
      verdict: 'breach',
      value: Math.max(0, growth.fullAt - snapshot.at) / 1000,
      limit: limit * 3600,
      unit: 'seconds',
      text: forecastSentence(one, growth, snapshot.at),
      details: [...forecastDetails(one, growth, snapshot.at), `Advice: ${forecastAdvice(one)}`],
    };
  });

/** It may go on growing, more slowly or with more room: only what is nearly used up has to have stopped. */
function endOf(one: Forecast): string {
  const { used, capacity, maybePerHour } = one;
  if (maybePerHour === undefined && capacity > 0 && used >= NEARLY_ALL * capacity)
    return `${forecastName(one)}: no growth any more, with ${formatValue((used / capacity) * 100, 'percent')} in use`;
  return `${forecastName(one)}: not expected to run out any more`;
}

/**
 * A disk that runs out of both bytes and inodes has two incidents; a silence on its mount covers both, and one on `redis` or `postgres`
 * what runs out there.
 */
function whom({ kind, subject, alias }: Forecast): Pick<Finding, 'subject' | 'alias'> {
  if (kind === 'inodes') return { subject: `${subject} (inodes)`, alias: subject };
  if (kind === 'redis') return { subject, alias: 'redis' };
  if (kind === 'connections') return { subject, alias: 'postgres' };
  return { subject, ...(alias === undefined ? {} : { alias }) };
}
