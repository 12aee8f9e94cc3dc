import { isUtf8 } from 'node:buffer'
import { extname } from 'node:path'
import { type Document, isCollection, isMap, isNode, type Pair, YAMLMap } from 'yaml'
import { ValidationError } from '../../errors.ts'
import { humanSize } from '../../storage/human-size.ts'
import type { JsonObject, JsonValue } from '../input.ts'
import { readYamlDocument } from './yaml-document.ts'
import { keyName } from './yaml-scalars.ts'

/**
 * Reads an uploaded train config: a `.yaml` or `.yml` file with one mapping in it. YAML 1.2 as its core
 * schema has it, with aliases and merge keys; no tags, no duplicate keys. `.inf` and `.nan`, which JSON
 * cannot hold, come out as these strings.
 *
 * Parses in one go, which for the largest configs takes half a second.
 *
 * @param options.maxBytes the largest file accepted
 * @throws ValidationError at `file`, naming line and column where there is one
 */
export function parseTrainConfig(
  filename: string,
  bytes: Uint8Array,
  options: { maxBytes: number },
): { content: JsonObject } {
  if (!['.yaml', '.yml'].includes(extname(filename).toLowerCase())) {
    throw ValidationError.at('file', 'A train config must be a .yaml or .yml file.')
  }
  if (bytes.length > options.maxBytes) {
    const limit = humanSize(options.maxBytes)
    throw ValidationError.at(
      'file',
      `The file is larger than ${limit}, the most that a train config may have.`,
    )
  }
  if (!isUtf8(bytes)) throw ValidationError.at('file', 'The file is not valid UTF-8 text; save it as UTF-8.')

  const document = readYamlDocument(new TextDecoder().decode(bytes))
  if (document.contents === null) throw ValidationError.at('file', 'The file is empty.')
  const content: unknown = document.toJS({ reviver: (_key, value) => finite(value) })
  if (!isMap(document.contents) || !isJsonObject(content)) throw notAMapping()
  return { content }
}

/**
 * The text of a config with a run's overrides in it. Mappings are merged key by key at every depth;
 * everything else, lists too, is replaced; a dot in a key is just a character. What is not overridden
 * keeps its order, its comments and the way it is written, except that aliases and merge keys are
 * written out, because an override must change one place only.
 *
 * @param yamlText the uploaded config, or null for none
 * @throws ValidationError at `file` when `yamlText` is not a config
 */
export function mergeTrainConfig(yamlText: string | null, overrides: JsonObject): string {
  const document = readYamlDocument(yamlText ?? '')
  document.contents ??= new YAMLMap(document.schema)
  if (!isMap(document.contents)) throw notAMapping()
  mergeInto(document, document.contents, overrides)
  return document.toString({ lineWidth: 0 })
}

function mergeInto(document: Document, map: YAMLMap, overrides: JsonObject) {
  for (const [key, value] of Object.entries(overrides)) {
    const pair = map.items.find((candidate) => keyName(candidate.key) === key)
    if (!pair) map.items.push(document.createPair(key, value, { aliasDuplicateObjects: false }))
    else if (isMap(pair.value) && isJsonObject(value)) mergeInto(document, pair.value, value)
    else replaceValue(document, pair, value)
  }
}

/** Puts a new value in the place of an old one, and keeps what was remarked on it. */
function replaceValue(document: Document, pair: Pair, value: JsonValue) {
  const old = pair.value
  const node = document.createNode(value, { aliasDuplicateObjects: false })
  if (isNode(old)) {
    node.commentBefore = old.commentBefore
    node.spaceBefore = old.spaceBefore
    if (!isCollection(old) && !isCollection(node)) node.comment = old.comment
  }
  pair.value = node
}

/** JSON has no word for infinity or for what is not a number; YAML's own words say it. */
function finite(value: unknown): unknown {
  if (typeof value !== 'number' || Number.isFinite(value)) return value
  return Number.isNaN(value) ? '.nan' : value > 0 ? '.inf' : '-.inf'
}

function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function notAMapping(): ValidationError {
  return ValidationError.at('file', 'line 1: a train config must be a mapping (key: value) at its top.')
}
