#!/usr/bin/env node
// Must be understood by every Node since 8: on an old one this file says so, before anything newer is read. So no top-level
// await, no static import, no `?.`; `import()` of the bundle happens only after the check.
// Without a handler Node answers this signal with its debugger, on a port that every local user can reach: before anything else.
process.on('SIGUSR1', function () {});
var found = process.versions.node.split('.').map(Number);
if (found[0] < 20 || (found[0] === 20 && found[1] < 19)) {
  process.stderr.write(
    'vpsmon: needs Node.js 20.19 or newer, found ' +
      process.versions.node +
      ' (' +
      process.execPath +
      '); https://nodejs.org/en/download says how to get one, on Debian and Ubuntu also https://deb.nodesource.com.\n',
  );
  process.exitCode = 3;
} else {
  import('../dist/cli.js').catch(function (error) {
    var missing = error.code === 'ERR_MODULE_NOT_FOUND' && String(error.message).indexOf('dist/cli.js') >= 0;
    process.stderr.write(
      missing
        ? 'vpsmon: not built yet. Run `npm ci` (or `npm run build`) in the folder of vpsmon first.\n'
        : String(error.stack || error) + '\n',
    );
    process.exitCode = 3;
  });
}
