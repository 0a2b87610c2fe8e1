import { quoteShell } from '../model/text.ts';

export type UnitChoices = {
  /** Absolute path of the node binary. */
  node: string;
  /** /usr/bin/perl, where it is; without it systemd-notify is run for every sign of life. */
  perl: string | undefined;
  /** systemd may not mount here, see MOUNTS. */
  noMounts?: boolean;
};
/** Absolute: the program's folder, `monitor.conf` and the state folder. */
export type UnitPaths = { current: string; config: string; state: string };

/** Fills a unit template in: absolute paths only, so that neither PATH nor the checkout matters afterwards. */
export function renderUnit(
  template: string,
  { node, perl, noMounts = false }: UnitChoices,
  paths: UnitPaths,
): string {
  const values: Record<string, string> = {
    NODE: quoteWord(node),
    LIB: paths.current,
    CONFIG: paths.config,
    STATE: paths.state,
    LAUNCH: perl ? `${quoteWord(perl)} ${paths.current}/systemd/notify-exec ` : '',
    NOTIFY_ACCESS: perl ? 'main' : 'all',
  };
  return (noMounts ? withoutMounts(template) : template).replace(
    /@([A-Z_]+)@/g,
    (placeholder, name: string) => values[name] ?? placeholder,
  );
}

/**
 * What of a unit's sandbox systemd mounts file systems for, and how each is switched off. In a guest that may not mount (unprivileged LXC
 * without nesting), a unit that has one of them ends with 226/NAMESPACE before it begins.
 */
const MOUNTS: Readonly<Record<string, string>> = {
  ProtectSystem: 'no',
  ProtectHome: 'no',
  PrivateTmp: 'no',
  PrivateMounts: 'no',
  PrivateDevices: 'no',
  PrivateUsers: 'no',
  ProtectProc: 'default',
  ProcSubset: 'all',
  ProtectKernelTunables: 'no',
  ProtectKernelModules: 'no',
  ProtectKernelLogs: 'no',
  ProtectControlGroups: 'no',
};
const PROBED: Readonly<Record<string, string>> = {
  ProtectSystem: 'strict',
  ProtectHome: 'read-only',
  ProtectProc: 'invisible',
  ProcSubset: 'pid',
};
const NO_MOUNTS_WHY =
  '# This guest lets systemd mount nothing (226/NAMESPACE), so the file system part of the sandbox is left out.';
export const NO_MOUNTS_NOTE =
  'systemd may mount nothing in this guest (226/NAMESPACE): the units run without the file system part of their sandbox; limits on powers, system calls and memory stay. For an LXC guest, switch on nesting on the physical host, then install again.';

/** The same unit without what systemd has to mount for. */
function withoutMounts(unit: string): string {
  const lines = unit.split('\n').filter((line) => !((line.split('=')[0] ?? '') in MOUNTS));
  return lines.join('\n').replace('[Service]\n', `[Service]\n${NO_MOUNTS_WHY}\n`);
}

/** @public The same as a drop-in, for the units of the Debian package (scripts/release.js). */
export function noMountsDropIn(): string {
  const off = Object.entries(MOUNTS).map(([key, value]) => `${key}=${value}`);
  return ['# Written by vpsmon.', NO_MOUNTS_WHY, '[Service]', ...off, ''].join('\n');
}

/** A command that ends with one of these codes where systemd may not make what the units' sandboxes need: 217/USER, 226/NAMESPACE. */
export const MOUNTS_PROBE = [
  'systemd-run',
  '--quiet',
  '--wait',
  '--collect',
  '--no-ask-password',
  ...Object.keys(MOUNTS).map((key) => `--property=${key}=${PROBED[key] ?? 'yes'}`),
  'true',
];
export const NO_MOUNTS_CODES: readonly number[] = [217, 226];

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
