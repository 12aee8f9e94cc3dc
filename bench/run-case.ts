import { cases } from './cases.ts'

// The process of one case: its memory and its garbage are its own. Tells the measurements to its parent.
const [name, scale] = process.argv.slice(2)
const benchCase = cases.find((each) => each.name === name)
if (!benchCase) throw new Error(`There is no case ${name}.`)
process.send?.(await benchCase.run({ scale: Number(scale) }))
process.disconnect?.()
