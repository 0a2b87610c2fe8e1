// Loaded before the monitor (`--import`): its time passes FASTER times as fast, so that days of checks fit into minutes. Every
// deadline is as much shorter.
const faster = Number(process.env.FASTER);
const began = Date.now();
const now = Date.now.bind(Date);
const elapsed = performance.now.bind(performance);
Date.now = () => Math.round(began + (now() - began) * faster);
performance.now = () => elapsed() * faster;
for (const name of ['setTimeout', 'setInterval']) {
  const real = globalThis[name];
  globalThis[name] = (callback, ms, ...rest) => real(callback, ms === undefined ? ms : ms / faster, ...rest);
}

// What is live, and not what waits for the collector: collects, and writes how much is left.
process.on('SIGUSR2', () => {
  globalThis.gc();
  process.stderr.write(`live ${process.memoryUsage().heapUsed}\n`);
});
