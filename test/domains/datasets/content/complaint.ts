import { expect } from 'vitest'
import { contentCheckFor } from '../../../../src/domains/datasets/content/index.ts'
import { ValidationError } from '../../../../src/errors.ts'

/** Runs a file through its check in chunks; resolves to null when it is fine, else to the complaint. */
export async function complaint(filename: string, content: string | Buffer, chunkBytes = 65_536) {
  const check = contentCheckFor(filename)
  if (!check) throw new Error(`There is no check for ${filename}`)
  const bytes = Buffer.from(content)
  try {
    for (let start = 0; start < bytes.length; start += chunkBytes) {
      await check.write(bytes.subarray(start, start + chunkBytes))
    }
    await check.end()
    return null
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error
    expect(error.issues[0]?.path).toEqual(['file'])
    return error.issues[0]?.message ?? ''
  }
}

/** The complaint, after making sure that it is the same however the file is cut. */
export async function steadyComplaint(filename: string, content: string | Buffer) {
  const whole = await complaint(filename, content)
  for (const chunkBytes of [1, 2, 3, 5, 7]) {
    expect(await complaint(filename, content, chunkBytes), `in chunks of ${chunkBytes}`).toBe(whole)
  }
  return whole
}

/** The same where what follows the error may be quoted, and is not always known yet. */
export async function steadyLine(filename: string, content: string) {
  const whole = await complaint(filename, content)
  const line = /^line \d+/.exec(whole ?? '')?.[0]
  for (const chunkBytes of [1, 2, 3, 5, 7]) {
    expect(await complaint(filename, content, chunkBytes)).toMatch(new RegExp(`^${line}: `))
  }
  return whole
}
