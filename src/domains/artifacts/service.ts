import { realpath, stat } from 'node:fs/promises'
import { isAbsolute, join, relative, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import type { Database, Transaction } from '../../db/database.ts'
import { ConflictError, NotFoundError, ValidationError } from '../../errors.ts'
import type { Artifact, Prisma } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import { isErrno } from '../../storage/errno.ts'
import type { Signals } from '../../streams/signals.ts'
import { type Principal, requireReporter, requireUser } from '../accounts/principal.ts'
import { recordEvent } from '../audit/record.ts'
import { NameInput, parseInput, TextInput } from '../input.ts'
import { requireRun, visibleRuns } from '../runs/access.ts'
import { runPaths } from '../runs/paths.ts'
import { announceRun } from '../runs/reporting.ts'
import { readContents } from './contents.ts'
import { ARTIFACT_TAGS, ARTIFACT_TYPES, type ArtifactTagValue, type ArtifactType } from './types.ts'

/** Which artifacts a list shows; unset parts do not restrict. */
export interface ArtifactFilter {
  type?: ArtifactType | null
  tag?: ArtifactTagValue | null
}

/** An artifact that is complete and is to be recorded. */
export interface NewArtifact {
  name: string
  type: ArtifactType
  uri: string
  isFolder: boolean
  sizeBytes: number | null
  sha256: string | null
  step: number | null
  /** What the scan of the output folder saw; null for what was registered by a script. */
  fingerprint: string | null
  /** When it was last written to; orders the artifacts of a run. */
  modifiedAt: Date
}

type ArtifactQuery = { include?: Prisma.ArtifactInclude; select?: Prisma.ArtifactSelect }

export type ArtifactService = ReturnType<typeof createArtifactService>

/** What runs produced, and what people say of it. */
export function createArtifactService(deps: {
  database: Database
  signals: Signals
  runsDir: string
  now?: () => Date
}) {
  const { database, signals, runsDir, now = () => new Date() } = deps
  const { prisma } = database

  return {
    /** An artifact by id; null when there is none. */
    async find(principal: Principal, id: string, query: ArtifactQuery = {}): Promise<Artifact | null> {
      requireUser(principal, 'READ')
      return prisma.artifact.findFirst({ ...query, where: { id, run: visibleRuns(principal) } })
    },

    /**
     * Records something a run produced: a path in its output folder, which is read and hashed, or a URI of
     * something that is kept elsewhere. Registering a name again replaces what was recorded.
     *
     * @throws NotFoundError, ForbiddenError, ValidationError
     */
    async register(principal: Principal, input: unknown, query: ArtifactQuery = {}): Promise<Artifact> {
      const request = parseInput(RegisterArtifactInput, input)
      requireReporter(principal, request.runId, 'RUN')
      const run = await requireRun(prisma, principal, request.runId, 'EDITOR')
      const artifact = request.path
        ? await describeOutput(run.id, request.path)
        : {
            ...describeElsewhere(request.uri ?? ''),
            sizeBytes: request.sizeBytes ?? null,
            sha256: request.sha256 ?? null,
            modifiedAt: now(),
          }
      const name = request.name ?? artifact.name
      const id = await database.transaction(async (tx) => {
        const recorded = await recordArtifact(tx, run.id, now(), {
          ...artifact,
          name,
          type: request.type ?? 'FILE',
          step: request.step ?? null,
          fingerprint: null,
        })
        await recordEvent(tx, principal, {
          action: 'ARTIFACT_REGISTERED',
          target: { kind: 'Artifact', id: recorded, name },
          details: { runId: run.id },
        })
        return recorded
      })
      announceRun(signals, run)
      return prisma.artifact.findUniqueOrThrow({ ...query, where: { id } })
    },

    /** Tags an artifact; tagging it the same again replaces the notes. @throws NotFoundError, ForbiddenError, ValidationError */
    async tag(principal: Principal, input: unknown, query: ArtifactQuery = {}): Promise<Artifact> {
      const { userId } = requireUser(principal, 'RUN')
      const { artifactId, value, notes } = parseInput(TagArtifactInput, input)
      return database.transaction(async (tx) => {
        const artifact = await requireArtifact(tx, principal, artifactId)
        const tag = { notes: notes ?? null, appliedAt: now(), appliedById: userId }
        await tx.artifactTag.upsert({
          where: { artifactId_value: { artifactId, value } },
          create: { artifactId, value, ...tag },
          update: tag,
        })
        await recordEvent(tx, principal, {
          action: 'ARTIFACT_TAGGED',
          target: { kind: 'Artifact', id: artifactId, name: artifact.name },
          details: { value, runId: artifact.runId },
        })
        return tx.artifact.findUniqueOrThrow({ ...query, where: { id: artifactId } })
      })
    },

    /** Takes a tag off. @throws NotFoundError, ForbiddenError, ConflictError when it does not have the tag */
    async untag(principal: Principal, input: unknown, query: ArtifactQuery = {}): Promise<Artifact> {
      requireUser(principal, 'RUN')
      const { artifactId, value } = parseInput(UntagArtifactInput, input)
      return database.transaction(async (tx) => {
        const artifact = await requireArtifact(tx, principal, artifactId)
        const { count } = await tx.artifactTag.deleteMany({ where: { artifactId, value } })
        if (count === 0) throw new ConflictError(`Artifact ${artifact.name} is not tagged ${value}.`)
        await recordEvent(tx, principal, {
          action: 'ARTIFACT_UNTAGGED',
          target: { kind: 'Artifact', id: artifactId, name: artifact.name },
          details: { value, runId: artifact.runId },
        })
        return tx.artifact.findUniqueOrThrow({ ...query, where: { id: artifactId } })
      })
    },
  }

  async function describeOutput(runId: string, path: string) {
    const { output } = runPaths(runsDir, runId)
    const wanted = isAbsolute(path) ? path : join(output, path)
    const [root, real] = await Promise.all([realpath(output), realpath(wanted)]).catch((error: unknown) => {
      if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'EACCES')) throw error
      throw ValidationError.at('path', `There is no ${path} in the output folder of the run.`)
    })
    const name = relative(root, real)
    if (name === '' || name === '..' || name.startsWith(`..${sep}`) || isAbsolute(name)) {
      throw ValidationError.at('path', 'Must lie in the output folder of the run.')
    }
    const stats = await stat(real)
    if (!stats.isFile() && !stats.isDirectory()) {
      throw ValidationError.at('path', 'Must be a file or a folder.') // a pipe would be read for ever
    }
    return { name: name.split(sep).join('/'), uri: pathToFileURL(real).href, ...(await readContents(real)) }
  }
}

function describeElsewhere(uri: string) {
  const { pathname } = new URL(uri)
  return { name: pathname.split('/').filter(Boolean).at(-1) ?? uri, uri, isFolder: pathname.endsWith('/') }
}

/** An artifact that somebody sees, who may change what is said of it. @throws NotFoundError, ForbiddenError */
async function requireArtifact(tx: Transaction, principal: Principal, id: string): Promise<Artifact> {
  const artifact = await tx.artifact.findFirst({ where: { id, run: visibleRuns(principal) } })
  if (!artifact) throw new NotFoundError('artifact', id)
  await requireRun(tx, principal, artifact.runId, 'EDITOR')
  return artifact
}

/**
 * Records a complete artifact of a run, replacing the one of the same name.
 *
 * @returns its id, which stays the same when it is replaced
 */
export async function recordArtifact(
  tx: Transaction,
  runId: string,
  at: Date,
  artifact: NewArtifact,
): Promise<string> {
  const { modifiedAt, ...columns } = artifact
  const stored = await tx.artifact.upsert({
    where: { runId_name: { runId, name: artifact.name } },
    create: { ...columns, id: newId('Artifact'), runId, createdAt: modifiedAt },
    update: columns,
  })
  const checkpointCount = await tx.artifact.count({ where: { runId, type: 'CHECKPOINT' } })
  await tx.run.update({ where: { id: runId }, data: { checkpointCount, updatedAt: at } })
  return stored.id
}

/** The artifacts that a filter selects. */
export function matchingArtifacts(filter: ArtifactFilter | null | undefined): Prisma.ArtifactWhereInput {
  return {
    ...(filter?.type && { type: filter.type }),
    ...(filter?.tag && { tags: { some: { value: filter.tag } } }),
  }
}

/** Where things are kept; what a browser would perform, or look for on some machine's disk, is none of it. */
const ELSEWHERE = /^(?:s3|gs|az|abfss?|hdfs|https?|oci|hf)$/

const UriInput = z
  .string()
  .max(2048, 'Must have at most 2048 characters.')
  .pipe(
    z.url({
      protocol: ELSEWHERE,
      error:
        'Must be a URI such as s3://bucket/key, of the schemes s3, gs, az, abfs, abfss, hdfs, http, https, oci or hf; give a file in the output folder as path.',
    }),
  )

const RegisterArtifactInput = z
  .object({
    runId: z.string(),
    path: z
      .string()
      .max(4096, 'Must have at most 4096 characters.')
      .refine((path) => !path.includes('\0'), 'Must not contain NUL.')
      .nullish(),
    uri: UriInput.nullish(),
    name: NameInput.refine(
      (name) => !/^[/\\]|^[a-z]:[/\\]/i.test(name) && !name.split(/[/\\]/).includes('..'),
      'Must be no absolute path, nor lead out of its folder.',
    ).nullish(),
    type: z.enum(ARTIFACT_TYPES).nullish(),
    step: z.int().min(0).nullish(),
    sizeBytes: z.coerce.number().int().min(0).nullish(),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'Must be 64 lower-case hexadecimal digits.')
      .nullish(),
  })
  .refine(({ path, uri }) => Boolean(path) !== Boolean(uri), {
    path: ['path'],
    message: 'Give either path or uri.',
  })

const TagArtifactInput = z.object({
  artifactId: z.string(),
  value: z.enum(ARTIFACT_TAGS),
  notes: TextInput.nullish(),
})

const UntagArtifactInput = z.object({ artifactId: z.string(), value: z.enum(ARTIFACT_TAGS) })
