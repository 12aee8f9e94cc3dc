const DECIMAL = { base: 1000, units: ['bytes', 'kB', 'MB', 'GB', 'TB'] } as const
const BINARY = { base: 1024, units: ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] } as const

/**
 * A number of bytes as a person writes it: `100 MB`, `16 MiB`, `1.4 GB`. Limits are round in one of the
 * two systems, so the binary one is used exactly where it needs no fraction.
 */
export function humanSize(bytes: number): string {
  const { base, units } = bytes >= 1024 && bytes % 1024 === 0 && bytes % 1000 !== 0 ? BINARY : DECIMAL
  let value = bytes
  let unit = 0
  while (value >= base && unit < units.length - 1) {
    value /= base
    unit += 1
  }
  return `${Number(value.toFixed(1))} ${bytes === 1 ? 'byte' : units[unit]}`
}
