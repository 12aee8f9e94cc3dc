/** A deployment, as far as it matters for why it is as it is. */
interface Reasoned {
  status: string
  statusReason: string | null
  modelServers: { node: { name: string; isOnline: boolean } }[]
}

/** What a deployment waits for when a node of it is not heard of. */
const WAITS: Partial<Record<string, string>> = {
  PENDING: 'it goes on when that is back.',
  STARTING: 'it goes on when that is back.',
  STOPPING: 'what runs there ends when that is back.',
}

/** Why a deployment is as it is, for people: what is written down, and the node that it waits for. */
export function statusReasonOf({ status, statusReason, modelServers }: Reasoned): string | null {
  const waits = WAITS[status]
  const away = modelServers.find(({ node }) => !node.isOnline)
  if (waits === undefined || !away) return statusReason
  const sentence = `Compute node ${away.node.name} is not heard of: ${waits}`
  return statusReason === null ? sentence : `${statusReason} ${sentence}`
}
