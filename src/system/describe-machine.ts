import { plain } from '../model/text.ts';
import type { Files } from './types.ts';

/** `Alpine Linux v3.20`, as the system calls itself; empty where it does not. */
export function osName(files: Files): string {
  const name = /^PRETTY_NAME="?([^"\n]*)"?/m.exec(files.textOr('/etc/os-release') ?? '')?.[1];
  return plain(name ?? '', 60);
}

/**
 * What kind of machine this is, in one line: system, kernel, processors, and whose virtual machine it is. Loads
 * systeminformation, which starts a dozen processes to find out: for people who ask, never for the monitor.
 */
export async function describeMachine(): Promise<string> {
  const { default: si } = await import('systeminformation');
  const [os, system, cpu] = await Promise.all([si.osInfo(), si.system(), si.cpu()]);
  const parts = [
    [os.distro, os.release].filter(Boolean).join(' '),
    `kernel ${os.kernel}`,
    `${cpu.cores} ${cpu.cores === 1 ? 'CPU' : 'CPUs'}${cpu.brand ? ` (${cpu.brand})` : ''}`,
    system.virtual ? `virtual (${system.virtualHost || system.model || 'unknown host'})` : '',
  ];
  return plain(parts.filter(Boolean).join(', '), 200);
}
