// The linter's rules, and the walls between the folders of src: what each may import besides itself.
export const WALLS = [
  // folder, may import, and what to do instead
  [
    'model',
    [],
    'The model is types and pure helpers, imported by everybody: move the code to the folder that needs it.',
  ],
  ['system', ['model', 'config'], 'src/system is the outside world: hand in what it needs.'],
  ['config', ['model', 'system'], 'Configuration knows only the model and the interfaces of src/system.'],
  [
    'discovery',
    ['model', 'system', 'config'],
    'The discovery turns settings and what Docker says into targets; it reads none.',
  ],
  ['store', ['model', 'system', 'config'], 'The store keeps; it knows the model only.'],
  [
    'collectors',
    ['model', 'system', 'config', 'discovery'],
    'A collector reads; it knows no rule, notifier or store. What it needs is in CollectorDeps.',
  ],
  [
    'rules',
    ['model', 'config', 'discovery'],
    'A rule is a pure function of snapshot, past and configuration.',
  ],
  [
    'checks',
    ['model', 'system', 'config', 'collectors', 'rules'],
    'A check reads and judges: hand in what else it needs.',
  ],
  ['forecast', ['model', 'config'], 'A forecast is a pure function of a series.'],
  ['recorder', ['model'], 'The recorder keeps the samples that are handed in; it reads none.'],
  [
    'containers',
    ['model', 'system', 'config', 'store'],
    'A change of a container is a finding: hand it to the pipeline through the callback.',
  ],
  [
    'incidents',
    ['model', 'config', 'store'],
    'Incidents are advanced by pure functions; messages go out through the callback that is handed in.',
  ],
  [
    'notify',
    ['model', 'system', 'config', 'store', 'outputs'],
    'Notify delivers and decides nothing; what a message says is in src/outputs/telegram.',
  ],
  ['outputs', ['model', 'system', 'config'], 'An output is a pure renderer: hand in what it shows.'],
  [
    'recovery',
    ['model', 'system', 'config', 'discovery', 'store'],
    'Recovery gets its readings and its clients handed in.',
  ],
  ['install', ['model', 'system', 'config'], 'The plan is pure; carrying it out goes through src/system.'],
  [
    'doctor',
    ['model', 'system', 'config', 'discovery', 'notify', 'store'],
    'An examination gets what it looks at handed in.',
  ],
  ['daemon', 'all', ''],
  ['commands', 'all', ''],
];

/** What only src/system may touch, with those who have a part of it to themselves. */
export const OUTSIDE = [
  'node:child_process',
  'node:dgram',
  'node:dns',
  'node:fs',
  'node:fs/promises',
  'node:http',
  'node:https',
  'node:net',
  'node:tls',
  'node:worker_threads',
  'execa',
  'ioredis',
  'pg',
  'systeminformation',
  'undici',
];
export const OWN = {
  system: OUTSIDE,
  // The database is a folder of files.
  store: ['node:fs', 'node:fs/promises'],
  // The monitor's own HTTP server.
  daemon: ['node:http', 'node:net'],
};

const folders = WALLS.map(([folder]) => folder);
const walls = WALLS.map(([folder, allowed, message]) => {
  const paths = OUTSIDE.filter((name) => !OWN[folder]?.includes(name)).map((name) => ({
    name,
    message: 'The outside world is behind src/system: add or use a function there.',
  }));
  const closed =
    allowed === 'all' ? [] : folders.filter((other) => other !== folder && !allowed.includes(other));
  const patterns = closed.length > 0 ? [{ group: closed.map((other) => `**/${other}/**`), message }] : [];
  return { files: [`src/${folder}/**`], rules: { 'no-restricted-imports': ['error', { paths, patterns }] } };
});

export default {
  categories: {
    correctness: 'error',
    suspicious: 'error',
    perf: 'off',
  },
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'promise'],
  ignorePatterns: ['dist', 'node_modules', 'test/fixtures'],
  rules: {
    'no-await-in-loop': 'off',
    'no-shadow': 'off',
    'no-console': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/consistent-type-imports': 'error',
    'import/no-cycle': 'error',
    'import/no-default-export': 'off',
    'unicorn/consistent-function-scoping': 'off',
    'promise/always-return': 'off',
    'promise/no-multiple-resolved': 'off',
    'eslint/no-underscore-dangle': 'off',
    'import/no-named-as-default-member': 'off',
    'unicorn/no-array-sort': 'off',
    'unicorn/no-array-reverse': 'off',
    'import/no-unassigned-import': 'off',
    'import/no-named-as-default': 'off',
  },
  overrides: [{ files: ['scripts/**', 'test/**', 'bin/**'], rules: { 'no-console': 'off' } }, ...walls],
};
