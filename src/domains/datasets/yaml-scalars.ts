import { isScalar, type Scalar, type ScalarTag, type Tags } from 'yaml'

const STRING = 'tag:yaml.org,2002:str'
const NUMBERS = ['tag:yaml.org,2002:int', 'tag:yaml.org,2002:float']

/** Words that are no strings to YAML 1.1, which most Python programs read. */
const YAML_1_1_WORDS = /^(?:y|n|yes|no|on|off|true|false|null|none)$/i

/**
 * The core schema, writing scalars so that a Python program reads what was meant. PyYAML follows YAML
 * 1.1, where `5.0e-5` is a number and `5e-5` is a string: so a number that was read is written back as
 * it stood, and a new one with a point before its exponent. New strings are quoted unless they look like
 * a name. Without this, changing one value of a config could change the type of another.
 */
export function sourceKeepingTags(tags: Tags): Tags {
  return tags.map((tag) => {
    if (typeof tag === 'string' || tag.collection) return tag
    if (NUMBERS.includes(tag.tag))
      return { ...tag, stringify: (item) => item.source ?? numberText(item.value) }
    if (tag.tag === STRING) return { ...tag, stringify: stringWriter(tag) }
    return tag
  })
}

function stringWriter(tag: ScalarTag): NonNullable<ScalarTag['stringify']> {
  return (item, ctx, onComment, onChompKeep) => {
    const written = item.source === undefined ? undefined : tag.stringify?.(item, ctx, onComment, onChompKeep)
    return written ?? stringText(item)
  }
}

function numberText(value: unknown): string {
  const text = String(value)
  return /^-?\d+e/.test(text) ? text.replace('e', '.0e') : text
}

function stringText({ value }: Scalar): string {
  const text = String(value)
  if (/^[A-Za-z][\w./-]*$/.test(text) && !YAML_1_1_WORDS.test(text)) return text
  // JSON's strings are YAML's double-quoted ones, except for characters that YAML 1.1 wants escaped.
  return JSON.stringify(text).replace(
    /[\u007f-\u00a0\u2028\u2029\ufeff\ufffe\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** The name that a key has in JSON. */
export function keyName(key: unknown): string {
  const value = isScalar(key) ? key.value : key
  return value === null ? '' : String(value)
}
