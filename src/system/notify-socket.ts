import { writeSync } from 'node:fs';
import { spawn } from 'node:child_process';

/** Sends one message to the service manager (`READY=1`, `WATCHDOG=1`, ...). Never throws, never blocks. */
export type Notify = (message: string) => void;

/**
 * The way to systemd's notification socket, undefined where nobody listens. Node has no unix datagram sockets, so
 * `systemd/notify-exec` connects one before it becomes node, and passes its number: a write on it is one datagram.
 * Without it (started by hand, no perl on the machine) `systemd-notify` is run for every message.
 */
export function openNotify(env: NodeJS.ProcessEnv): Notify | undefined {
  if (!env.NOTIFY_SOCKET) return undefined;
  const fd = Number.parseInt(env.VPSMON_NOTIFY_FD ?? '', 10);
  if (Number.isInteger(fd) && fd > 2) {
    return (message) => {
      try {
        writeSync(fd, message);
      } catch {
        // The manager is busy (EAGAIN) or being replaced: the next message reaches it.
      }
    };
  }
  return (message) => {
    const child = spawn('systemd-notify', message.split('\n'), { stdio: 'ignore' });
    child.on('error', () => undefined);
    child.unref();
  };
}
