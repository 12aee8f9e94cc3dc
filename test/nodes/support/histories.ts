import type { ApiClient } from '../../../src/client/client.ts'
import { SiteNodesDocument, SiteRunsDocument } from '../../../src/generated/operations.ts'

/** What became of the runs and nodes of a server, one status after the other, as somebody sees it who watches all along. */
export interface Histories {
  /** Of a run by its id, or a node by its name: no status twice in a row. */
  of(key: string): string[]
  stop(): Promise<void>
}

/** @param client one that makes its subscriptions again */
export function watchHistories(client: ApiClient): Histories {
  const histories = new Map<string, string[]>()
  const abort = new AbortController()
  const { signal } = abort

  function note(key: string, status: string) {
    const history = histories.get(key) ?? []
    histories.set(key, history)
    if (history.at(-1) !== status) history.push(status)
  }

  async function watchRuns() {
    for await (const { runUpdated } of client.watch(SiteRunsDocument, {}, { signal })) {
      note(runUpdated.id, runUpdated.status)
    }
  }

  async function watchNodes() {
    for await (const { computeNodeUpdated } of client.watch(SiteNodesDocument, {}, { signal })) {
      note(computeNodeUpdated.name, computeNodeUpdated.status)
    }
  }

  const watching = Promise.all([watchRuns(), watchNodes()])
  return {
    of: (key) => histories.get(key) ?? [],
    async stop() {
      abort.abort()
      await watching
    },
  }
}
