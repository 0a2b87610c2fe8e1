/** Names of the signals that containers are sent or end with, by number (Linux, x86 and ARM). */
export const SIGNALS: Record<number, string> = Object.fromEntries(
  (
    'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT ' +
    'CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'
  )
    .split(' ')
    .map((name, at) => [at + 1, `SIG${name}`]),
);
