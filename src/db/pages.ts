/** A page as Pothos asks for it; `take` is negative when it is read backwards. */
interface PageQuery {
  cursor?: { id?: string }
  take?: number
  skip?: number
}

/**
 * The query for a page of a list that has the latest first. Ids sort by time, so a page is what lies
 * behind the id of its cursor: Prisma's own cursors give an empty page once their row is deleted.
 */
export function latestFirst<Query extends PageQuery, Where extends object>(query: Query, where: Where) {
  const { cursor, skip: _cursorItself, ...rest } = query
  const backwards = (query.take ?? 0) < 0
  const behind = cursor?.id === undefined ? {} : { id: backwards ? { gt: cursor.id } : { lt: cursor.id } }
  return { ...rest, where: { AND: [where, behind] }, orderBy: { id: 'desc' as const } }
}
