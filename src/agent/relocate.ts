/** A place on the server, and the one that stands for it here; absolute paths. */
export interface Relocation {
  from: string
  to: string
}

/** What a name of a file or folder may be made of, as far as arguments are concerned: a path goes on with it. */
const NAME = String.raw`[\w.~%+-]`

/**
 * Makes of what is said of the server's files what is true of those here: wherever such a path stands in a text, alone
 * or behind a word such as `--config=`, between quotes or in a list. The longest path counts; one that only begins
 * like it, or is part of another, stays.
 *
 * @returns a function for texts
 */
export function createRelocator(relocations: Relocation[]): (text: string) => string {
  const places = new Map(relocations.map(({ from, to }) => [from, to]))
  if (places.size === 0) return (text) => text
  const longestFirst = [...places.keys()].toSorted((one, other) => other.length - one.length)
  const pattern = new RegExp(
    `(?<!${NAME}|(?<!:/)/)(?:${longestFirst.map(literally).join('|')})(?!${NAME})`,
    'g',
  )
  return (text) => text.replace(pattern, (path) => places.get(path) ?? path)
}

/** A text as a pattern that matches it. */
const literally = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)

/** The other way round. */
export function reversed(relocations: Relocation[]): Relocation[] {
  return relocations.map(({ from, to }) => ({ from: to, to: from }))
}
