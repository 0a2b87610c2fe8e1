/** Where `install` puts things. One place, so that `uninstall`, `status` and `doctor` look where it wrote. */
export const LAYOUT = {
  lib: '/usr/local/lib/vpsmon',
  current: '/usr/local/lib/vpsmon/current',
  manifest: '/usr/local/lib/vpsmon/manifest.json',
  command: '/usr/local/bin/vpsmon',
  units: '/etc/systemd/system',
  configDir: '/etc/vpsmon',
  config: '/etc/vpsmon/monitor.conf',
  yaml: '/etc/vpsmon/vpsmon.yaml',
  state: '/var/lib/vpsmon',
  /** systemd's memory of when the Persistent timer ran last. */
  stamp: '/var/lib/systemd/timers/stamp-vps-daily-report.timer',
} as const;

/** Man pages and completion scripts: what the build makes in `dist/share`, and where the tools look for it. */
export const SHARED = [
  { from: 'vpsmon.1', to: '/usr/local/share/man/man1/vpsmon.1' },
  { from: 'monitor.conf.5', to: '/usr/local/share/man/man5/monitor.conf.5' },
  { from: 'vpsmon.bash', to: '/usr/local/share/bash-completion/completions/vpsmon' },
  { from: 'vpsmon.zsh', to: '/usr/local/share/zsh/site-functions/_vpsmon' },
  { from: 'vpsmon.fish', to: '/usr/local/share/fish/vendor_completions.d/vpsmon.fish' },
] as const;

/** Where the Debian package has the program; its units and settings are dpkg's to install and to remove. */
export const DEBIAN_PACKAGE = '/usr/lib/vpsmon';

/** Folders that systemd makes for the units; `uninstall` removes those that were not there before. */
export const MADE_BY_SYSTEMD = [
  '/var/lib/systemd/timers',
  '/etc/systemd/system/multi-user.target.wants',
  '/etc/systemd/system/timers.target.wants',
];

/** The units with the names that the bash scripts had. `starts`: enabled and started; the others are run by their timers. */
const UNITS = [
  { name: 'vps-monitor.service', starts: true },
  { name: 'vps-auto-recovery.service', starts: false },
  { name: 'vps-auto-recovery.timer', starts: true },
  { name: 'vps-daily-report.service', starts: false },
  { name: 'vps-daily-report.timer', starts: true },
  { name: 'vps-metrics-exporter.service', starts: false },
  { name: 'vps-metrics-exporter.timer', starts: true },
] as const;

export const STARTED_UNITS = UNITS.filter((unit) => unit.starts).map((unit) => unit.name);
export const ALL_UNITS = UNITS.map((unit) => unit.name);
/** systemd starts it with the first unit that is in it, and stops it after the last. */
export const SLICE = 'vpsmon.slice';
/** Every file in `systemd/` that becomes one of systemd's. */
export const UNIT_FILES = [...ALL_UNITS, SLICE];
