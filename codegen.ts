import type { CodegenConfig } from '@graphql-codegen/cli'

/** Typed documents for our own clients (the demo, the tests, the benchmark), from schema.graphql as any front end has it. */
const config: CodegenConfig = {
  schema: 'schema.graphql',
  documents: ['src/**/*.graphql', 'test/**/*.graphql', 'bench/**/*.graphql'],
  generates: {
    'src/generated/operations.ts': {
      plugins: ['typescript-operations', 'typed-document-node'],
      config: {
        useTypeImports: true,
        enumType: 'string-literal',
        scalars: {
          BigInt: 'number',
          DateTime: 'string',
          JSON: 'unknown',
          Upload: 'Blob',
        },
      },
    },
  },
}

export default config
