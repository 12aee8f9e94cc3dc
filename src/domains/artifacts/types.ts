import type { Locale } from '../accounts/principal.ts'

/** What an artifact is good for. */
export const ARTIFACT_TYPES = ['CHECKPOINT', 'TENSORBOARD', 'EVALUATION', 'CONFIG', 'MODEL', 'FILE'] as const
export type ArtifactType = (typeof ARTIFACT_TYPES)[number]

/** What people say of an artifact. */
export const ARTIFACT_TAGS = ['CANDIDATE', 'RELEASE', 'ARCHIVED'] as const
export type ArtifactTagValue = (typeof ARTIFACT_TAGS)[number]

/** The tags in the words of the user interface. */
export const ARTIFACT_TAG_LABELS: Record<ArtifactTagValue, Record<Locale, string>> = {
  CANDIDATE: { EN: 'Candidate', ZH_CN: '候选' },
  RELEASE: { EN: 'Release', ZH_CN: '发布' },
  ARCHIVED: { EN: 'Archived', ZH_CN: '归档' },
}

/** A stored type; the database holds nothing else. */
export function toArtifactType(type: string): ArtifactType {
  return ARTIFACT_TYPES.find((known) => known === type) ?? 'FILE'
}

/** A stored tag; the database holds nothing else. */
export function toArtifactTag(value: string): ArtifactTagValue {
  const known = ARTIFACT_TAGS.find((candidate) => candidate === value)
  if (!known) throw new Error(`The database holds an unknown artifact tag ${value}.`)
  return known
}
