import {
  type ASTNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  Kind,
  type SelectionSetNode,
  visit,
} from 'graphql'
import { tooComplex } from './too-complex.ts'

/** Levels of fields, those of fragments included. */
const MAX_DEPTH = 15
const MAX_ALIASES = 50
const MAX_DIRECTIVES = 50
/** Directives on one field, fragment or operation: there are only @skip and @include to put there. */
const MAX_DIRECTIVES_IN_ONE_PLACE = 4
/** The same name or alias in one selection, its fragments included: thirty components may ask for the same id. */
const MAX_REPEATS = 50
/** Pairs of fields with the same name or alias: validation compares each with each, at a million a second. */
const MAX_PAIRS = 20_000
/** Fields, those of fragments counted wherever they are put. */
const MAX_FIELDS = 50_000
const MAX_OPERATIONS = 50
const MAX_FRAGMENTS = 50
const MAX_FRAGMENT_SPREADS = 100
/** Fields at the top of a mutation, which are performed one after the other. */
const MAX_MUTATION_FIELDS = 10

/**
 * Looks whether a document stays within what validation and execution can take, by its form alone: no schema is
 * needed, and each part is looked at a few times at most, however often fragments repeat it.
 *
 * @throws GraphQLError with the code DOCUMENT_TOO_COMPLEX
 */
export function checkShape(document: DocumentNode): void {
  checkCounts(document)
  const fragments = fragmentsOf(document)
  const depthOf = createDepthMeter(fragments)
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue
    depthOf(definition.selectionSet)
    if (definition.operation !== 'mutation') continue
    const fields = fieldsIn([definition.selectionSet], fragments)
    if (fields.length > MAX_MUTATION_FIELDS) {
      throw tooComplex('fields at the top of a mutation', MAX_MUTATION_FIELDS, fields.length)
    }
  }
  checkRepeats(document, fragments)
}

/** The fragments of a document by name. */
export function fragmentsOf(document: DocumentNode): Map<string, FragmentDefinitionNode> {
  return new Map(
    document.definitions
      .filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION)
      .map((fragment) => [fragment.name.value, fragment]),
  )
}

function checkCounts(document: DocumentNode): void {
  const count = createCounter()
  visit(document, {
    enter(node) {
      const directives = directivesOn(node)
      if (directives > MAX_DIRECTIVES_IN_ONE_PLACE) {
        throw tooComplex('directives in one place', MAX_DIRECTIVES_IN_ONE_PLACE, directives)
      }
      if (node.kind === Kind.DIRECTIVE) count('directives', MAX_DIRECTIVES)
      if (node.kind === Kind.FIELD && node.alias) count('aliases', MAX_ALIASES)
      if (node.kind === Kind.OPERATION_DEFINITION) count('operations', MAX_OPERATIONS)
      if (node.kind === Kind.FRAGMENT_DEFINITION) count('fragments', MAX_FRAGMENTS)
      if (node.kind === Kind.FRAGMENT_SPREAD) count('fragment spreads', MAX_FRAGMENT_SPREADS)
    },
  })
}

function directivesOn(node: ASTNode): number {
  return 'directives' in node ? (node.directives?.length ?? 0) : 0
}

function createCounter() {
  const counts = new Map<string, number>()
  return (what: string, maximum: number) => {
    const sent = (counts.get(what) ?? 0) + 1
    counts.set(what, sent)
    if (sent > maximum) throw tooComplex(what, maximum, sent)
  }
}

/** Measures each fragment once. One that contains itself counts as nothing there: validation refuses it. */
function createDepthMeter(fragments: Map<string, FragmentDefinitionNode>) {
  const known = new Map<string, number>()

  function depthOf(selectionSet: SelectionSetNode | undefined): number {
    let deepest = 0
    for (const selection of selectionSet?.selections ?? []) {
      if (selection.kind === Kind.FIELD) deepest = Math.max(deepest, 1 + depthOf(selection.selectionSet))
      else if (selection.kind === Kind.INLINE_FRAGMENT)
        deepest = Math.max(deepest, depthOf(selection.selectionSet))
      else deepest = Math.max(deepest, depthOfFragment(selection.name.value))
    }
    if (deepest > MAX_DEPTH) throw tooComplex('levels of fields', MAX_DEPTH, deepest)
    return deepest
  }

  function depthOfFragment(name: string): number {
    const depth = known.get(name)
    if (depth !== undefined) return depth
    known.set(name, 0)
    const measured = depthOf(fragments.get(name)?.selectionSet)
    known.set(name, measured)
    return measured
  }
  return depthOf
}

/**
 * Merges the selections of fields with the same name or alias as validation and execution do, and counts on the
 * way; a small text can mean a lot of it.
 */
function checkRepeats(document: DocumentNode, fragments: Map<string, FragmentDefinitionNode>): void {
  let fieldCount = 0
  let pairs = 0

  function merge(selectionSets: SelectionSetNode[], level: number): void {
    // Only fragments in a circle are deeper.
    if (level > MAX_DEPTH) return
    const groups = Map.groupBy(fieldsIn(selectionSets, fragments), ({ name, alias }) => (alias ?? name).value)
    for (const [name, fields] of groups) {
      fieldCount += fields.length
      pairs += (fields.length * (fields.length - 1)) / 2
      if (fields.length > MAX_REPEATS) {
        throw tooComplex(`the same field or alias in one selection (${name})`, MAX_REPEATS, fields.length)
      }
      if (pairs > MAX_PAIRS) throw tooComplex('pairs of fields with the same name', MAX_PAIRS, pairs)
      if (fieldCount > MAX_FIELDS) throw tooComplex('fields', MAX_FIELDS, fieldCount)
      const below = fields.flatMap(({ selectionSet }) => selectionSet ?? [])
      if (below.length > 0) merge(below, level + 1)
    }
  }

  for (const definition of document.definitions) {
    if ('selectionSet' in definition) merge([definition.selectionSet], 1)
  }
}

/** The fields of selections, with those that their fragments put beside them, each fragment once. */
function fieldsIn(
  selectionSets: SelectionSetNode[],
  fragments: Map<string, FragmentDefinitionNode>,
  seen = new Set<string>(),
): FieldNode[] {
  const selections = selectionSets.flatMap((selectionSet) => selectionSet.selections)
  return selections.flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return selection
    if (selection.kind === Kind.INLINE_FRAGMENT) return fieldsIn([selection.selectionSet], fragments, seen)
    const fragment = fragments.get(selection.name.value)
    if (!fragment || seen.has(fragment.name.value)) return []
    seen.add(fragment.name.value)
    return fieldsIn([fragment.selectionSet], fragments, seen)
  })
}
