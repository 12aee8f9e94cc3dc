import type { Principal } from '../domains/accounts/principal.ts'

/** A model that can be asked by its name. */
export interface ServedModel {
  deploymentId: string
  /** What clients write as `model`. Several deployments may serve one name. */
  name: string
  createdAt: Date
  /** Who made the deployment. */
  ownedBy: string
}

/** A healthy deployment, held for one request. */
export interface Upstream {
  deploymentId: string
  /** Where its model server listens, without a path, e.g. http://127.0.0.1:8100. */
  url: string
  /** What the model server calls its model, where that is another name than clients write; null for the same. */
  modelName: string | null
  /** Tells that the request is over. Is called once. */
  release(): void
}

/** What a request has cost, and how it went. */
export interface RequestUsage {
  /** What the client was answered; 499 when it left first, 502 when the answer broke in the middle. */
  status: number
  /** Null when the model server did not tell, as for a request that was cut short. */
  promptTokens: number | null
  completionTokens: number | null
  /** From the arrival of the request to the first event of a stream; null for answers of one piece, and without any. */
  timeToFirstTokenMs: number | null
  /** From the arrival of the request to the end of its answer. */
  durationMs: number
  /** What went wrong, for people; null when nothing did. */
  error: string | null
}

/** Which models there are and where they are served: how the gateway sees the deployments. */
export interface ModelDirectory {
  /** The models that somebody may use: those of healthy deployments, and of those that load on demand. */
  list(principal: Principal): Promise<ServedModel[]>

  /**
   * A healthy deployment of a model, each in turn where there are several. Waits while one loads on demand.
   *
   * @param signal gives up waiting: the client has left
   * @throws NotFoundError when there is no such model that this person may use
   * @throws UnavailableError when none of its deployments is healthy
   */
  acquire(principal: Principal, name: string, signal: AbortSignal): Promise<Upstream>

  /** Counts a request to a deployment; returns at once. */
  record(deploymentId: string, usage: RequestUsage): void
}
