import { isAlias, isMap, isNode, isScalar, isSeq, type Node, type Pair, Scalar, type YAMLMap } from 'yaml'
import type { ValidationError } from '../../errors.ts'
import { UNSAFE_KEY } from '../input.ts'
import { keyName } from './yaml-scalars.ts'

/** How deep a config may be nested. */
const MAX_DEPTH = 256

/** How many values aliases may stand for altogether: far beyond real configs, far below a bomb. */
const MAX_ALIASED_NODES = 100_000

/** Makes the error for a problem at a character of the text. */
type Fail = (offset: number, problem: string) => ValidationError

/** A resolved node: how many nodes it is made of, itself included, and how many levels. */
interface Resolved {
  node: Node
  count: number
  depth: number
}

/**
 * Puts a copy of what it stands for in the place of each alias and merge key, and refuses what has no
 * place in a config: duplicate keys, keys that are not scalars, aliases that lead into themselves or
 * multiply without end, and the key that means a prototype to JavaScript. Changes the tree it is given.
 */
export function resolveReferences(root: Node, fail: Fail): Node {
  const anchors = new Map<string, Resolved | 'open'>()
  let aliased = 0

  function resolve(node: Node): Resolved {
    if (isAlias(node)) return resolveAlias(node.source, startOf(node))
    const { anchor } = node
    delete node.anchor
    if (anchor !== undefined) anchors.set(anchor, 'open')
    const resolved = { node, ...resolveContents(node) }
    if (resolved.depth > MAX_DEPTH) throw fail(startOf(node), `values are nested more than ${MAX_DEPTH} deep`)
    if (anchor !== undefined) anchors.set(anchor, resolved)
    return resolved
  }

  function resolveAlias(name: string, offset: number): Resolved {
    const target = anchors.get(name)
    if (target === undefined) throw fail(offset, `there is no anchor &${name} before the alias *${name}`)
    if (target === 'open') throw fail(offset, `the alias *${name} stands inside what it refers to`)
    aliased += target.count
    if (aliased > MAX_ALIASED_NODES) throw fail(offset, 'the aliases stand for too many values')
    const copy = target.node.clone()
    if (!isNode(copy)) throw new TypeError('A copy of a YAML node is a node')
    return { ...target, node: copy }
  }

  function resolveContents(node: Node): { count: number; depth: number } {
    let count = 1
    let depth = 0
    const child = (value: Node): Node => {
      const resolved = resolve(value)
      count += resolved.count
      depth = Math.max(depth, resolved.depth)
      return resolved.node
    }
    if (isMap(node)) {
      for (const pair of node.items) {
        if (isNode(pair.key)) pair.key = child(pair.key)
        if (isNode(pair.value)) pair.value = child(pair.value)
      }
      refuseBadKeys(node)
      applyMergeKey(node)
    } else if (isSeq(node)) {
      node.items = node.items.map((item) => (isNode(item) ? child(item) : item))
    }
    return { count, depth: depth + 1 }
  }

  function refuseBadKeys(map: YAMLMap) {
    const names = new Set<string>()
    for (const { key } of map.items) {
      if (!isScalar(key))
        throw fail(startOf(key ?? map), 'a key must be a single value, not a list or mapping')
      const name = keyName(key)
      if (name === UNSAFE_KEY) throw fail(startOf(key), `the key ${UNSAFE_KEY} has no place in a config`)
      if (names.has(name)) throw fail(startOf(key), `the key ${JSON.stringify(name)} is there twice`)
      names.add(name)
    }
  }

  /** A mapping's own keys win over merged ones, and of several merged mappings the earlier wins. */
  function applyMergeKey(map: YAMLMap) {
    const mergePair = map.items.find(({ key }) => isMergeKey(key))
    if (!mergePair) return
    const { key, value } = mergePair
    const sources = isSeq(value) ? value.items : [value]
    const taken = new Set(map.items.map((pair) => keyName(pair.key)))
    const merged: Pair[] = []
    for (const source of sources) {
      if (!isMap(source)) throw fail(startOf(key), 'what << merges must be a mapping, or a list of mappings')
      for (const pair of source.items) {
        if (taken.has(keyName(pair.key))) continue
        taken.add(keyName(pair.key))
        merged.push(pair)
      }
    }
    map.items.splice(map.items.indexOf(mergePair), 1, ...merged)
  }

  return resolve(root).node
}

function isMergeKey(key: unknown): boolean {
  return isScalar(key) && key.value === '<<' && key.type === Scalar.PLAIN && key.tag === undefined
}

function startOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0
}
