import { defaultExtra } from './defaults.ts';
import type { RawSetting } from './layers.ts';
import type { Extra, Problem } from './schema.ts';

/** Reads vpsmon.yaml. Never throws. */
export function parseYaml(
  _text: string,
  _file: string,
): { settings: RawSetting[]; extra: Extra; problems: Problem[] } {
  return { settings: [], extra: defaultExtra(), problems: [] };
}
