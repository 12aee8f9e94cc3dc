import type { TestContext } from 'vitest'
import { whyNoNetwork } from '../../support/network-namespaces.ts'

/** Why there can be no network here; null if there can be one. */
export const impossible = whyNoNetwork()
if (impossible !== null) {
  process.stdout.write(`\nThe tests of machines on a network are skipped: ${impossible}.\n`)
}

/** Ends the test where there can be no network. */
export function needNetwork({ skip }: TestContext): void {
  if (impossible !== null) skip(impossible)
}
