import { isInterfaceType } from 'graphql'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  CatalogDatasetDocument,
  CatalogNodeDocument,
  CatalogProjectDocument,
} from '../../src/generated/operations.ts'
import { toSchema } from '../../src/graphql/index.ts'
import { NODE_FINDERS } from '../../src/graphql/nodes.ts'
import { newId } from '../../src/ids.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { seed } from '../support/seed.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.stop())

const nodeOf = async (id: string) => (await app.api.send(CatalogNodeDocument, { id })).node

test('anything that has an id is found by it', async () => {
  const given = seed(app.api)
  await given.dataset('numbers', { 'a.txt': 'one\n' })
  const name = await given.project({
    script: `require('node:fs').writeFileSync(process.env.TRAINYARD_OUTPUT_DIR + '/eval_results.json', '{}')`,
  })
  const run = await given.end(await given.run({ project: name }))
  const { project } = await app.api.send(CatalogProjectDocument, { ref: name })
  const { dataset } = await app.api.send(CatalogDatasetDocument, { ref: 'numbers' })
  const ids = {
    User: project?.owner.id,
    Project: project?.id,
    Run: run.id,
    Artifact: run.artifacts.edges[0]?.node.id,
    Dataset: dataset?.id,
    DatasetFile: dataset?.files[0]?.id,
  }

  for (const [type, id] of Object.entries(ids)) {
    expect(await nodeOf(id ?? '')).toEqual({ __typename: type, id })
  }
})

test.each([
  ['of nothing', newId('Project')],
  ['of something that is no node', newId('ApiToken')],
  ['of a version, which is no node', newId('ProjectVersion')],
  ['of another kind of thing', 'dep_01jd0000000000000000000000'],
  ['in upper case', newId('Run').toUpperCase()],
  ['in base64, as other servers have them', Buffer.from('Project:1').toString('base64')],
  ['with a character too many', `${newId('Run')}0`],
  ['with NUL in it', 'prj_\0'],
  ['that is empty', ''],
  ['that is very long', 'prj_'.padEnd(10_000, '0')],
])('an id %s gives null', async (_what, id) => {
  expect(await nodeOf(id)).toBeNull()
})

test('every type of node is found by its id by somebody', () => {
  const schema = toSchema()
  const node = schema.getType('Node')
  const types = isInterfaceType(node) ? schema.getPossibleTypes(node) : []

  expect(types.map((type) => type.name).sort()).toEqual(Object.keys(NODE_FINDERS).sort())
})
