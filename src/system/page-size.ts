// The kernel hands every program its page size in the auxiliary vector: pairs of machine words, key then value. Key 6 is
// AT_PAGESZ (getauxval(3)). So no `getconf` process is needed.
import { readFileSync } from 'node:fs';
import { endianness } from 'node:os';

const AT_PAGESZ = 6n;

/** Bytes of a memory page of this machine; 4096 where it is not known. */
export function pageSize(): number {
  try {
    return parseAuxv(readFileSync('/proc/self/auxv'), endianness()) ?? 4096;
  } catch {
    return 4096;
  }
}

/** Undefined where the vector has no page size. Only 64-bit machines have a Node of these days. */
export function parseAuxv(auxv: Buffer, order: 'LE' | 'BE'): number | undefined {
  const word = (at: number) => (order === 'LE' ? auxv.readBigUInt64LE(at) : auxv.readBigUInt64BE(at));
  for (let at = 0; at + 16 <= auxv.length; at += 16) {
    if (word(at) === AT_PAGESZ) return Number(word(at + 8));
  }
  return undefined;
}
