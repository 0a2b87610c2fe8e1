export type UnitChoices = {
  /** Absolute path of the node binary. */
  node: string;
  /** /usr/bin/perl, where it is; without it systemd-notify is run for every sign of life. */
  perl: string | undefined;
};
/** Absolute: the program's folder, `monitor.conf` and the state folder. */
export type UnitPaths = { current: string; config: string; state: string };

/** Fills a unit template in: absolute paths only, so that neither PATH nor the checkout matters afterwards. */
export function renderUnit(template: string, { node, perl }: UnitChoices, paths: UnitPaths): string {
  const values: Record<string, string> = {
    NODE: quoteWord(node),
    LIB: paths.current,
    CONFIG: paths.config,
    STATE: paths.state,
    LAUNCH: perl ? `${quoteWord(perl)} ${paths.current}/systemd/notify-exec ` : '',
    NOTIFY_ACCESS: perl ? 'main' : 'all',
  };
  return template.replace(/@([A-Z_]+)@/g, (placeholder, name: string) => values[name] ?? placeholder);
}

/** `vpsmon` for the administrator's shell. `current`: the program's folder. */
export function renderCommand(node: string, current: string): string {
  return `#!/bin/sh\n# Written by \`vpsmon install\`; \`vpsmon uninstall\` removes it.\nexec ${quoteShell(node)} ${current}/bin/vpsmon.js "$@"\n`;
}

/** True for a command file that `install` wrote: another program's is never overwritten or removed. */
export function isOurCommand(text: string): boolean {
  return text.includes('Written by `vpsmon install`');
}

/** True for a man page or completion script of vpsmon: all of them name it. */
export function isOurs(text: string | undefined): boolean {
  return text?.includes('vpsmon') === true;
}

/** True for a unit that was made from one of our templates. */
export function isOurUnit(text: string): boolean {
  return text.includes('Description=vpsmon: ');
}

/** One word of a systemd command line: % and $ are systemd's own there. */
function quoteWord(path: string): string {
  const escaped = path.replace(/%/g, '%%').replace(/\$/g, '$$$$');
  return /[\s"'\\;]/.test(escaped) ? `"${escaped.replace(/[\\"]/g, '\\$&')}"` : escaped;
}

function quoteShell(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replace(/'/g, `'\\''`)}'`;
}
