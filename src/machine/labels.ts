import { arch, platform } from 'node:os'

/** What every machine says of itself, for runs to ask for: `os` and `arch`, as Node.js names them. */
export const MACHINE_LABELS = [
  { name: 'os', value: platform() },
  { name: 'arch', value: arch() },
]
