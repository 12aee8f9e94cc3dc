/**
 * The POSIX tar format, as much of it as a reproducible archive needs. Written out here rather than
 * taken from a library because checksums of archives are stored: the same folder has to give the same
 * bytes in every later version.
 */

/** Tar counts in blocks; headers are one, and contents are padded to a multiple. */
const BLOCK_BYTES = 512

/** Two empty blocks end an archive. */
export const TRAILER_BYTES = 2 * BLOCK_BYTES

/** The largest size that eleven octal digits hold: 8 GiB less one byte. */
const LARGEST_USTAR_SIZE = 0o77777777777

const MODES = { file: 0o644, folder: 0o755, link: 0o777 } as const
const TYPE_FLAGS = { file: '0', folder: '5', link: '2' } as const

/** What a header says of one entry. */
export interface TarEntry {
  kind: 'file' | 'folder' | 'link'
  /** Relative, with `/`; ends with `/` exactly for a folder. */
  path: string
  /** Bytes of content; 0 unless a file. */
  sizeBytes: number
  /** What a link points to, relative to the folder it is in; empty unless a link. */
  linkTarget: string
}

/** How many zero bytes follow contents of this size. */
export function paddingBytes(sizeBytes: number): number {
  return (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES
}

/**
 * The blocks in front of an entry's content: a ustar header, and before it a pax extended header when
 * a name is long or not ASCII or the size is past 8 GiB. Owner 0, modification time 0 and fixed modes
 * make it depend on nothing but the entry.
 */
export function tarHeader(entry: TarEntry): Buffer {
  const records: string[] = []
  if (!fitsName(entry.path)) records.push(paxRecord('path', entry.path))
  if (!fitsName(entry.linkTarget)) records.push(paxRecord('linkpath', entry.linkTarget))
  if (entry.sizeBytes > LARGEST_USTAR_SIZE) records.push(paxRecord('size', String(entry.sizeBytes)))

  const header = ustarBlock({
    name: entry.path,
    mode: MODES[entry.kind],
    size: entry.sizeBytes > LARGEST_USTAR_SIZE ? 0 : entry.sizeBytes,
    typeFlag: TYPE_FLAGS[entry.kind],
    linkName: entry.linkTarget,
  })
  if (records.length === 0) return header

  const extended = Buffer.from(records.join(''))
  const extendedHeader = ustarBlock({
    name: `PaxHeaders/${entry.path.replace(/\/$/, '')}`,
    mode: MODES.file,
    size: extended.length,
    typeFlag: 'x',
    linkName: '',
  })
  return Buffer.concat([extendedHeader, extended, Buffer.alloc(paddingBytes(extended.length)), header])
}

function fitsName(name: string): boolean {
  return name.length <= 100 && /^[ -~]*$/.test(name)
}

/** `LENGTH key=value\n`, where LENGTH counts the whole record in bytes, its own digits included. */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`)
  let length = rest + String(rest).length
  length = rest + String(length).length
  return `${length} ${key}=${value}\n`
}

function ustarBlock(fields: {
  name: string
  mode: number
  size: number
  typeFlag: string
  linkName: string
}): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES)
  const octal = (value: number, offset: number, digits: number) =>
    block.write(value.toString(8).padStart(digits, '0'), offset, 'latin1')

  block.write(asciiName(fields.name), 0, 100, 'latin1')
  octal(fields.mode, 100, 7)
  octal(0, 108, 7) // user id
  octal(0, 116, 7) // group id
  octal(fields.size, 124, 11)
  octal(0, 136, 11) // modification time
  block.fill(' ', 148, 156) // the checksum counts its own field as spaces
  block.write(fields.typeFlag, 156, 'latin1')
  block.write(asciiName(fields.linkName), 157, 100, 'latin1')
  block.write('ustar\u000000', 257, 'latin1')
  octal(0, 329, 7) // device numbers
  octal(0, 337, 7)

  const checksum = block.reduce((sum, byte) => sum + byte, 0)
  block.write(`${checksum.toString(8).padStart(6, '0')}\u0000 `, 148, 'latin1')
  return block
}

/** A stand-in for readers that do not know pax; everybody else takes the name from the pax record. */
function asciiName(name: string): string {
  return name.replace(/[^ -~]/g, '_').slice(0, 100)
}
