import { getNamedType, isCompositeType, isInterfaceType, isObjectType } from 'graphql'
import { OWN_NODE_ID } from '../../src/domains/compute-nodes/own-node.ts'
import { schema, selectionOf } from './send.ts'
import type { Role, Subject } from './table.ts'
import type { World } from './world.ts'

const ROOTS = ['Query', 'Mutation', 'Subscription']
/** Types that only carry what they have in them. */
const CARRIERS = /(Connection|Edge|PageInfo)$|^(AgentOrders|Assignment|AssignmentInput|ExecutionResult)$/

/** Fields from one object to others, as `Run.project`. */
export function fieldsBetweenObjects(): string[] {
  return objectTypes().flatMap((type) =>
    Object.values(type.getFields())
      .filter((field) => isCompositeType(getNamedType(field.type)))
      .map((field) => `${type.name}.${field.name}`),
  )
}

/** All root fields, as `Query.run`. */
export function rootFields(): string[] {
  return ROOTS.flatMap((root) => {
    const type = schema.getType(root)
    return isObjectType(type) ? Object.keys(type.getFields()).map((field) => `${root}.${field}`) : []
  })
}

/** What `node` can give, as `node(Run)`. */
export function nodeTypes(): string[] {
  const node = schema.getType('Node')
  if (!isInterfaceType(node)) throw new Error('There is no interface Node')
  return schema.getPossibleTypes(node).map(({ name }) => `node(${name})`)
}

/** Fields that not everybody sees who sees what they are of: all that is said of people, and secrets. */
export function guardedFields(): string[] {
  return objectTypes()
    .filter((type) => type.getInterfaces().some(({ name }) => name === 'Node'))
    .flatMap((type) =>
      Object.values(type.getFields())
        .filter((field) => !isCompositeType(getNamedType(field.type)))
        .filter((field) => type.name === 'User' || /^(token|url|secret|environment)$/.test(field.name))
        .map((field) => `${type.name}.${field.name}`),
    )
}

/** Links to bytes. */
export function linkFields(): string[] {
  return objectTypes().flatMap((type) =>
    Object.keys(type.getFields())
      .filter((field) => field === 'downloadUrl' || (type.name === 'AuditExport' && field === 'url'))
      .map((field) => `${type.name}.${field}`),
  )
}

function objectTypes() {
  return Object.values(schema.getTypeMap())
    .filter(isObjectType)
    .filter(({ name }) => !name.startsWith('__') && !ROOTS.includes(name) && !CARRIERS.test(name))
}

/** How one gets to objects that have no node: through a field of something that has. */
const WAYS: Record<string, { from: string; field: string }> = {
  ProjectMember: { from: 'Project', field: 'members' },
  ProjectVersion: { from: 'Project', field: 'versions' },
  ArtifactTag: { from: 'Artifact', field: 'tags' },
  WebhookDelivery: { from: 'Webhook', field: 'deliveries' },
}

/** How a field of an object is asked for. */
export interface NestedAsking {
  text: string
  id: string
  /** The fields from the root to what is asked for. */
  path: string[]
}

/** How to ask for a field such as `Project.runs`, of what a subject is for a role. */
export function nestedAsking(world: World, field: string, subject: Subject, role: Role): NestedAsking {
  const [type = '', name = ''] = field.split('.')
  const way = WAYS[type]
  const start = way?.from ?? type
  const fields = way ? [way.field, name] : [name]
  // The process of a run gets at its run by no other field.
  const root = start === 'Run' ? 'run' : 'node'
  const inner = selectionAlong(start, fields)
  return {
    text: `query ($id: ID!) { ${root}(id: $id) { ... on ${start} { ${inner} } } }`,
    id: idOf(world, start, subject, role),
    path: [root, ...fields],
  }
}

/** The id of something of a type, of what a subject is for a role. */
export function idOf(world: World, type: string, subject: Subject, role: Role): string {
  const ids: Record<string, string> = {
    ...(subject === 'own' || subject === 'other' ? world.belongings(subject, role) : world.things(subject)),
    ...(subject === 'server' && {
      Invitation: world.Invitation,
      AuditEvent: world.AuditEvent,
      Launcher: world.Launcher,
      ComputeNode: OWN_NODE_ID,
      AlertRule: world.AlertRule,
      Webhook: world.Webhook,
    }),
  }
  const id = ids[type]
  if (id === undefined) throw new Error(`The world has no ${type} of ${subject}`)
  return id
}

function selectionAlong(type: string, [field = '', ...rest]: string[]): string {
  const object = schema.getType(type)
  const definition = isObjectType(object) ? object.getFields()[field] : undefined
  if (!definition) throw new Error(`There is no ${type}.${field}`)
  if (rest.length === 0) return `${field} ${selectionOf(definition)}`
  const next = getNamedType(definition.type).name
  const noun = next.replace(/Connection$/, '')
  const inner = selectionAlong(noun, rest)
  return next === noun ? `${field} { ${inner} }` : `${field} { edges { node { ${inner} } } }`
}

/** What stands in an answer at the end of a path, through all lists and pages on the way. */
export function valuesAt(data: unknown, path: string[]): unknown[] {
  if (data === null || data === undefined) return []
  if (Array.isArray(data)) return data.flatMap((item) => valuesAt(item, path))
  if (typeof data !== 'object') return [data]
  if ('edges' in data) return valuesAt(data.edges, path)
  if ('node' in data && !path.includes('node')) return valuesAt(data.node, path)
  const [field, ...rest] = path
  return field === undefined ? [data] : valuesAt(Reflect.get(data, field), rest)
}
