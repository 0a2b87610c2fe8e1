declare const __VPSMON_VERSION__: string | undefined;

/** Put in by the build from package.json; `dev` when the sources are run directly, as tests do. */
export const VERSION = typeof __VPSMON_VERSION__ === 'string' ? __VPSMON_VERSION__ : 'dev';
