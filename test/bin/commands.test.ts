import { execa } from 'execa'
import { expect, test } from 'vitest'

const command = (name: string, args: string[], env: Record<string, string> = {}) =>
  execa(`bin/${name}.js`, args, { reject: false, env })

test.each(['trainyard-agent', 'trainyard-admin'])('%s explains itself', async (name) => {
  const { exitCode, stdout } = await command(name, ['--help'])

  expect({ exitCode, lines: stdout.split('\n').length > 5 }).toEqual({ exitCode: 0, lines: true })
})

test('what goes wrong is one line, and the exit code is that of the program', async () => {
  const { exitCode, stderr } = await command('trainyard-agent', [])

  expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '--server is missing: where is the server?' })
})
