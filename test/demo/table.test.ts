import { expect, test } from 'vitest'
import { formatTable } from '../../src/demo/table.ts'

test('columns are as wide as they must be, and numbers stand right', () => {
  const rows = [
    { name: 'checkpoint-200', size: 315, tags: [] },
    { name: 'model', size: 1_024, tags: ['RELEASE', 'CANDIDATE'] },
  ]

  expect(
    formatTable(
      [
        { title: 'Artifact', text: ({ name }) => name },
        { title: 'Size', align: 'right', text: ({ size }) => `${size} B` },
        { title: 'Tags', text: ({ tags }) => tags.join(', ') },
      ],
      rows,
    ),
  ).toEqual([
    'Artifact          Size  Tags',
    '──────────────  ──────  ──────────────────',
    'checkpoint-200   315 B',
    'model           1024 B  RELEASE, CANDIDATE',
  ])
})
