// Loaded before the monitor (`--import`). Its time passes FASTER times as fast (default 1), so that days of checks fit into minutes, and
// every deadline is as much shorter. SIGUSR1 moves its clocks on by 20 s.
const faster = Number(process.env.FASTER ?? 1);
const began = Date.now();
const now = Date.now.bind(Date);
const elapsed = performance.now.bind(performance);
let skipped = 0;
Date.now = () => Math.round(began + (now() - began) * faster + skipped);
performance.now = () => elapsed() * faster + skipped;
process.on('SIGUSR1', () => (skipped += 20_000));
for (const name of faster === 1 ? [] : ['setTimeout', 'setInterval']) {
  const real = globalThis[name];
  globalThis[name] = (callback, ms, ...rest) => real(callback, ms === undefined ? ms : ms / faster, ...rest);
}

// What is live, and not what waits for the collector: collects, and writes how much is left.
process.on('SIGUSR2', () => {
  globalThis.gc();
  process.stderr.write(`live ${process.memoryUsage().heapUsed}\n`);
});
