import { expect, test } from 'vitest'
import { inheritedEnvironment } from '../../src/execution/inherited-environment.ts'

test('runs inherit what is let through, and nothing of the server itself', () => {
  const server = {
    PATH: '/bin',
    NODE_ENV: 'production',
    NODE_EXTRA: 'wanted',
    TRAINYARD_ADMIN_PASSWORD: 'secret',
    OTHER: 'not let through',
  }

  const environment = inheritedEnvironment(server, ['NODE_*', 'TRAINYARD_*'])

  expect(environment).toEqual({ PYTHONUNBUFFERED: '1', PATH: '/bin', NODE_EXTRA: 'wanted' })
})
