import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Files that hold weights; a folder that has the first kind needs none of the others. */
const WEIGHT_FILES = [/\.safetensors$/, /\.gguf$/, /\.(bin|pt|pth)$/]

/** How many bytes of weights lie at a path; 0 where that cannot be told, as for a name on the hub. */
export async function weightBytes(path: string): Promise<number> {
  const found = await stat(path).catch(() => null)
  if (!found) return 0
  if (!found.isDirectory()) return found.size
  const names = await readdir(path)
  const kind = WEIGHT_FILES.find((pattern) => names.some((name) => pattern.test(name)))
  const files = names.filter((name) => kind?.test(name))
  const sizes = await Promise.all(
    files.map((name) =>
      stat(join(path, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
