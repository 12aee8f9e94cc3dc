/** Where the API lives, on HTTP and as a WebSocket. */
export const GRAPHQL_PATH = '/graphql'
