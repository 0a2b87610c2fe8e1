import { defineConfig } from 'vitest/config';

// fast: pure code and small servers, three minutes on two cores. real: Docker, PostgreSQL, Redis; real-apart: what of it can run beside the rest.
// vps: a whole machine. n8n: a real n8n. debian13: a whole machine of another Debian; it and n8n are not part of `npm run check`.

/** Of `real`, those without an engine that do not mind what happens on the machine, such as a container of another file that is out of memory. */
const APART = [
  'databases',
  'outbox-full-disk',
  'outbox-kill',
  'pgbouncer',
  'postgres-connection',
  'postgres-standby',
  'redis-connection',
  'redis-tls',
  'release',
].map((name) => `test/real/${name}.test.ts`);

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'fast',
          include: ['test/**/*.test.ts'],
          exclude: [
            'test/real/**',
            'test/vps/**',
            'test/n8n/**',
            'test/debian13/**',
            'test/bench/**',
            'test/fixtures/**',
          ],
          // No test may fail because the machine is busy.
          testTimeout: 900_000,
          hookTimeout: 900_000,
          expect: { poll: { timeout: 400_000 } },
          // Half of the time is spent waiting for servers and processes, so there are more workers than processors.
          maxWorkers: 4,
          // A worker keeps what it has loaded for the next file: half of the CPU went into loading it anew. So a test that changes its own
          // process (environment, timers, spies) changes it back, and mocks no module.
          isolate: false,
          env: { TZ: 'UTC' },
        },
      },
      {
        test: {
          name: 'real',
          include: ['test/real/**/*.test.ts'],
          testTimeout: 1_800_000,
          hookTimeout: 1_800_000,
          expect: { poll: { timeout: 400_000 } },
          exclude: APART,
          // Engines share one machine: one file at a time.
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'real-apart',
          include: APART,
          testTimeout: 1_800_000,
          hookTimeout: 1_800_000,
          expect: { poll: { timeout: 400_000 } },
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'n8n',
          include: ['test/n8n/**/*.test.ts'],
          // npm takes 20 minutes to bring n8n on a busy machine.
          testTimeout: 3_600_000,
          hookTimeout: 3_600_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'debian13',
          include: ['test/debian13/**/*.test.ts'],
          testTimeout: 3_600_000,
          hookTimeout: 3_600_000,
        },
      },
      {
        test: {
          name: 'vps',
          include: ['test/vps/**/*.test.ts'],
          // A green test takes minutes, 13 on a busy machine; none may fail because the machine takes four times as long.
          testTimeout: 3_600_000,
          hookTimeout: 3_600_000,
          expect: { poll: { timeout: 400_000 } },
          // Emulated machines wait most of the time: two at once take little longer than one.
          maxWorkers: 2,
        },
      },
    ],
  },
});
