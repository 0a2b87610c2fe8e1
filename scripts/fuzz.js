// npm run fuzz -- [--inputs 1000000] [--seed 7] [--only "monitor.conf"] [--minutes 8]
// Feeds damaged and random input to everything that takes apart what comes from outside (test/fuzz/targets.ts).
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    only: { type: 'string' },
    minutes: { type: 'string', default: '60' },
  },
});
console.log(`${values.inputs} inputs, seed ${values.seed}`);
const child = spawn('npx', ['vitest', 'run', '--project', 'fast', 'test/fuzz/fuzz.test.ts'], {
  stdio: 'inherit',
  env: {
    ...process.env,
    FUZZ_INPUTS: values.inputs,
    FUZZ_SEED: values.seed,
    ...(values.only === undefined ? {} : { FUZZ_ONLY: values.only }),
  },
});
// An endless loop does not let a test end by itself.
const late = setTimeout(() => child.kill('SIGKILL'), Number(values.minutes) * 60_000);
child.once('exit', (code) => {
  clearTimeout(late);
  if (code === null) console.error('Not done in time: something hangs, or --minutes is too short.');
  process.exitCode = code ?? 1;
});
