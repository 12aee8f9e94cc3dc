import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What `nvidia-smi` tells of a GPU, by the names that it has for it; what is left out is that of an idle H100. */
export type GpuFields = Partial<Record<keyof typeof IDLE, string | number>>

const IDLE = {
  uuid: 'GPU-5d1ab2f4-13a6-3f1c-9c0e-0d3d3a4f8d21',
  name: 'NVIDIA H100 80GB HBM3',
  driver_version: '570.133.20',
  'memory.total': 81559,
  'memory.used': 1,
  'memory.free': 81078,
  'utilization.gpu': 0,
  'temperature.gpu': 31,
  'power.draw': 70.12,
}

/**
 * Puts a program called nvidia-smi into a folder, for a PATH that begins with it. It prints what the query asks for of
 * each GPU as the real one does, and refuses what it does not know.
 */
export async function writeNvidiaSmi(folder: string, gpus: GpuFields[]): Promise<void> {
  const values = gpus.flatMap((gpu, index) =>
    Object.entries({ index, ...IDLE, ...gpu }).map(
      ([field, value]) => `      ${index}.${field}) value='${value}' ;;`,
    ),
  )
  await writeGpuProgram(
    folder,
    `for gpu in ${gpus.map((_, index) => index).join(' ')}; do
  IFS=,
  line=
  for field in \${1#--query-gpu=}; do
    case $gpu.$field in
${values.join('\n')}
      *) echo "Field \\"$field\\" is not a valid field to query."; exit 2 ;;
    esac
    line="$line\${line:+, }$value"
  done
  echo "$line"
done`,
  )
}

/** Puts a program called nvidia-smi into a folder that does what a shell is told. */
export async function writeGpuProgram(folder: string, script: string): Promise<void> {
  const path = join(folder, 'nvidia-smi')
  await writeFile(path, `#!/bin/sh\n${script}\n`)
  await chmod(path, 0o755)
}
