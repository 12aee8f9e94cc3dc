import type { Database } from '../../../db/database.ts'

/** A model server with all that attending it takes. */
export type Server = NonNullable<Awaited<ReturnType<typeof readServer>>>

/** A model server as it is stored now; null when it is gone. */
export function readServer({ prisma }: Database, id: string) {
  return prisma.modelServer.findUnique({
    where: { id },
    include: { node: true, gpus: true, deployment: { select: { id: true, logStreamId: true } } },
  })
}
