/**
 * A Node.js program that prints its process id, then a numbered line every few ms, some on stderr too, until the
 * file appears that its argument names; then how far it has counted.
 */
export const COUNTER = `
  const fs = require('node:fs')
  console.log('pid ' + process.pid)
  let n = 0
  const timer = setInterval(() => {
    n++
    console.log('line ' + n)
    if (n % 7 === 0) console.error('every seventh ' + n)
    if (!fs.existsSync(process.argv[1])) return
    console.log('counted to ' + n)
    clearInterval(timer)
  }, 10)
`

/** Numbers from 1 on. */
export const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)
