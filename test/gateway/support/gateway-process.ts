import { startGateway } from './gateway.ts'

// A gateway in a process of its own, in front of the model servers that the arguments name: NAME=URL.
const gateway = await startGateway()
for (const argument of process.argv.slice(2)) {
  const [name = '', url = ''] = argument.split('=')
  gateway.directory.serve(name, url)
}
process.on('disconnect', () => process.exit())
process.send?.(gateway.url)
