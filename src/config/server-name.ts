import type { Files } from '../system/types.ts';
import type { Config } from './schema.ts';

/** The machine's own name. The file first: in a container, /proc shows the container's. Undefined where neither can be read. */
export function hostName(files: Pick<Files, 'textOr'>): string | undefined {
  return (
    files.textOr('/etc/hostname')?.trim() || files.textOr('/proc/sys/kernel/hostname')?.trim() || undefined
  );
}

/** What messages call this server: SERVER_NAME, or else the machine's own name. */
export function serverName({ settings }: Pick<Config, 'settings'>, files: Pick<Files, 'textOr'>): string {
  return settings.SERVER_NAME || hostName(files) || 'this server';
}
