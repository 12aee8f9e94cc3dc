/** What a member may do in a project, each role with all that the ones before it may. */
export const PROJECT_ROLES = ['VIEWER', 'EDITOR', 'OWNER'] as const
export type ProjectRole = (typeof PROJECT_ROLES)[number]

/** Who sees something besides those who have a part in it: nobody, or everybody signed in. */
export const VISIBILITIES = ['PRIVATE', 'TEAM'] as const
export type Visibility = (typeof VISIBILITIES)[number]

/** Whether a role includes another; somebody without a role has none. */
export function includesRole(role: ProjectRole | null, needed: ProjectRole): boolean {
  return role !== null && PROJECT_ROLES.indexOf(role) >= PROJECT_ROLES.indexOf(needed)
}

/** The roles that include one, itself among them. */
export function rolesIncluding(needed: ProjectRole): ProjectRole[] {
  return PROJECT_ROLES.filter((role) => includesRole(role, needed))
}

/** A stored role; one that this version does not know grants no more than the least. */
export function toProjectRole(role: string): ProjectRole {
  return PROJECT_ROLES.find((known) => known === role) ?? 'VIEWER'
}

/** A stored visibility; one that this version does not know shows nothing to others. */
export function toVisibility(visibility: string): Visibility {
  return VISIBILITIES.find((known) => known === visibility) ?? 'PRIVATE'
}
