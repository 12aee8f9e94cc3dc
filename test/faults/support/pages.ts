interface Page<Node> {
  pageInfo: { hasNextPage: boolean; endCursor?: string | null }
  edges: { node: Node }[]
}

/** All items of a list, read page by page. */
export async function everyNode<Node>(
  read: (after: string | null) => Promise<Page<Node> | null | undefined>,
): Promise<Node[]> {
  const nodes: Node[] = []
  for (let after: string | null = null; ; ) {
    const page: Page<Node> | null | undefined = await read(after)
    if (!page) throw new Error('The list is gone.')
    nodes.push(...page.edges.map((edge) => edge.node))
    if (!page.pageInfo.hasNextPage) return nodes
    after = page.pageInfo.endCursor ?? null
  }
}
