import { metricNameProblem } from '../model/metric-names.ts';
import { parseValue, type Parsed, type Wrong } from './parse-value.ts';
import { suggest } from './suggest.ts';
import type { FieldKind } from './yaml-shape.ts';

/** Sunday is 0, as in Date.getDay(). */
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const DAY_WORDS: Record<string, number[]> = {
  daily: [0, 1, 2, 3, 4, 5, 6],
  weekdays: [1, 2, 3, 4, 5],
  weekends: [0, 6],
};

export type FieldParsed = Parsed | { value: number[] };

/** True for fields that take a list (or a single value, which is a list of one). */
export function takesList(field: FieldKind): boolean {
  return field.type === 'texts' || field.type === 'choices' || field.type === 'days';
}

/** Reads a field from the texts that stand there: one, or the items of a list. */
export function parseField(field: FieldKind, texts: string[]): FieldParsed {
  const text = texts[0]?.trim() ?? '';
  switch (field.type) {
    case 'int':
      return text === ''
        ? { expected: `a whole number from ${field.min} to ${field.max}` }
        : parseValue({ ...field, default: field.min }, text);
    case 'bool':
      return text === '' ? { expected: 'true or false' } : parseValue({ type: 'bool', default: false }, text);
    case 'text':
      return text === '' ? { expected: 'a text' } : { value: text };
    case 'texts':
      return texts.some((item) => item.trim() === '')
        ? { expected: 'a list of texts' }
        : { value: texts.map((item) => item.trim()) };
    case 'choices':
      return parseChoices(field.values, texts);
    case 'metric-name':
      return parseMetricName(text);
    case 'query':
      return parseQuery(text);
    case 'days':
      return parseDays(texts);
    case 'time':
      return parseTime(text);
  }
}

function parseChoices(values: readonly string[], texts: string[]): FieldParsed {
  const chosen = texts.map((text) => text.trim().toLowerCase());
  const wrong = chosen.find((text) => !values.includes(text));
  if (wrong === undefined) return { value: chosen };
  const meant = suggest(wrong, values);
  const expected = `a list of ${values.join(', ')}`;
  return meant ? { expected, advice: `Did you mean ${meant}?` } : { expected };
}

function parseMetricName(text: string): Parsed {
  const problem = metricNameProblem(text);
  if (problem === undefined) return { value: text };
  return { expected: 'a metric name of its own, like orders_total', advice: problem };
}

function parseQuery(text: string): Parsed {
  const expected = 'one query that begins with SELECT, WITH, VALUES or TABLE';
  const query = text.replace(/;\s*$/, '');
  const withoutComments = query.replace(/^(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/)+/, '');
  return /^(?:select|with|values|table)\b/i.test(withoutComments) ? { value: query } : { expected };
}

function parseDays(texts: string[]): { value: number[] } | Wrong {
  const expected = 'days like mon, tue, weekdays, weekends or daily';
  const days = new Set<number>();
  for (const item of texts.flatMap((text) => text.toLowerCase().split(/[\s,]+/))) {
    if (item === '') continue;
    const named = DAY_WORDS[item] ?? [DAYS.indexOf(item.slice(0, 3))];
    const known = named[0] !== -1 && (item in DAY_WORDS || /^[a-z]{3}(?:[a-z]*day)?$/.test(item));
    if (!known) return { expected };
    for (const day of named) days.add(day);
  }
  return days.size === 0 ? { expected } : { value: [...days].toSorted((a, b) => a - b) };
}

/** Minutes since midnight; 24:00 is the end of the day. */
function parseTime(text: string): Parsed {
  const match = /^(\d{1,2}):(\d{2})$/.exec(text);
  const minutes = Number(match?.[1]) * 60 + Number(match?.[2]);
  if (!match || Number(match[2]) > 59 || minutes > 1440) {
    return { expected: 'a local time from 00:00 to 24:00, like 02:30' };
  }
  return { value: minutes };
}
