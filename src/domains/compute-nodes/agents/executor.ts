import type { Executor } from '../../../execution/executor.ts'
import { OWN_NODE_ID } from '../own-node.ts'
import type { Executions } from './executions.ts'

/**
 * Runs commands on whichever machine they are for: on this one by itself, on others through their agents. What is
 * asked for of another is written down, and done by its agent as soon as that hears of it. What the command prints
 * arrives in the directory, as it does on this machine; an end is told only when all of it has, results included.
 */
export function createExecutor(local: Executor, executions: Executions): Executor {
  return {
    launch: (spec) => {
      const { nodeId = OWN_NODE_ID } = spec
      return nodeId === OWN_NODE_ID ? local.launch(spec) : executions.give(nodeId, spec)
    },
    inspect: (directory) =>
      executions.has(directory) ? executions.reportOf(directory) : local.inspect(directory),
    async terminate(directory, options) {
      if (executions.has(directory)) await executions.requestEnd(directory, options.graceSeconds)
      else await local.terminate(directory, options)
    },
    // Results of other machines are brought when they are finished, and appear whole.
    filesBeingWritten: async (directory) =>
      executions.has(directory) ? [] : local.filesBeingWritten(directory),
    // The agent looks before it starts the command.
    isPortOfStranger: async (directory, port) =>
      !executions.has(directory) && local.isPortOfStranger(directory, port),
    release: (directory) =>
      executions.has(directory) ? executions.settle(directory) : local.release(directory),
  }
}
