import type { Database } from '../../db/database.ts'
import { ConflictError } from '../../errors.ts'
import { newId } from '../../ids.ts'
import { recordEvent } from '../audit/record.ts'
import { NameInput, parseInput } from '../input.ts'
import { hashSecret, newSecret } from './secrets.ts'

/** Tokens that the operator makes on the machine of the server itself. */
export function createOperatorTokens({ database }: { database: Database }) {
  return {
    /**
     * A token for the agent of one machine, in the name of the administrator who has been here longest.
     *
     * @returns the secret, which exists only here
     * @throws ConflictError when there is no administrator, ValidationError
     */
    async issueAgentToken(name: string): Promise<string> {
      const parsed = parseInput(NameInput, name)
      const secret = newSecret('token')
      await database.transaction(async (tx) => {
        const owner = await tx.user.findFirst({
          where: { role: 'ADMIN', deactivatedAt: null, deletedAt: null },
          orderBy: { id: 'asc' },
        })
        if (!owner) throw new ConflictError('There is no administrator yet: start the server once.')
        const token = await tx.apiToken.create({
          data: {
            id: newId('ApiToken'),
            name: parsed,
            userId: owner.id,
            scopes: 'AGENT',
            createdAt: new Date(),
            secretHash: hashSecret(secret),
          },
        })
        await recordEvent(
          tx,
          { kind: 'operator' },
          {
            action: 'API_TOKEN_CREATED',
            target: { kind: 'ApiToken', id: token.id, name: parsed },
            details: { scopes: ['AGENT'] },
          },
        )
      })
      return secret
    },
  }
}
