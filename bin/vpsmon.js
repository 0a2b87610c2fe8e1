#!/usr/bin/env node
try {
  await import('../dist/cli.js');
} catch (error) {
  if (error?.code !== 'ERR_MODULE_NOT_FOUND' || !String(error.message).includes('dist/cli.js')) throw error;
  process.stderr.write(
    'vpsmon: not built yet. Run `npm ci` (or `npm run build`) in the folder of vpsmon first.\n',
  );
  process.exitCode = 3;
}
