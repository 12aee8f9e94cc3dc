/** As much as a line of a mail shows of something that somebody has typed. */
const LONGEST = 200

/** Line breaks, and characters that are not seen but change how others are. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu

/** A text on one line, for headers and for names: nothing in it can begin a line, or a header, of its own. */
export function oneLine(text: string): string {
  const line = text.replace(INVISIBLE, ' ').trim()
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line
}
