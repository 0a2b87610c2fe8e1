process.stdout.write('vpsmon\n');
