/**
 * Imported before everything else by the program itself. Unless it is told that it runs in production,
 * graphql looks at each type that it meets for signs of a second copy of graphql, once for each of the
 * 10,000 numbers of a report: a tenth of the time that takes.
 */
process.env.NODE_ENV ??= 'production'
