import {
  pointsOf,
  statsOf,
  type Column,
  type History,
  type Point,
  type Stats,
} from '../../../src/store/history/history.ts';

/** One series of a history, as the report reads several. */
export function columnOf(history: History, name: string, since: number, until: number): Column | undefined {
  return history.columns((one) => one === name, since, until).get(name);
}

export function statsIn(history: History, name: string, since: number, until: number): Stats | undefined {
  return statsOf(columnOf(history, name, since, until));
}

export function pointsIn(
  history: History,
  name: string,
  since: number,
  until: number,
  most: number,
): Point[] {
  return pointsOf(columnOf(history, name, since, until), since, until, most);
}
