import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { resultUnion } from '../../graphql/errors.ts'
import type { EngineInfo } from './engines.ts'

const EngineType = builder.objectRef<EngineInfo>('Engine').implement({
  description: 'How a program is started that serves models: built in, or defined by an administrator.',
  fields: (t) => ({
    id: t.exposeID('id', { nullable: true, description: 'Its id; null for one that is built in.' }),
    name: t.exposeString('name', { description: 'What deployments call it; unique.' }),
    description: t.exposeString('description', { nullable: true, description: 'What it is for.' }),
    isBuiltIn: t.boolean({
      description: 'Whether it comes with Trainyard.',
      resolve: (engine) => engine.id === null,
    }),
    command: t.exposeStringList('command', {
      description:
        'Its argv template: {model}, {host}, {port}, {name} (what clients call the model) and {gpus} (how many, at least 1) are filled in; the extraArgs of a deployment follow.',
    }),
    healthPath: t.exposeString('healthPath', {
      description: 'Where it answers with a success once the model can be used.',
    }),
    environmentNames: t.exposeStringList('environmentNames', {
      description: 'The variables that it adds to the environment of its model servers.',
    }),
    environment: t.expose('environment', {
      type: 'JSON',
      nullable: true,
      description: 'The same with their values, for administrators; null for everybody else.',
    }),
  }),
})

const COMMAND =
  'An argv template, never a shell: {model}, {host}, {port}, {name} and {gpus} are filled in; {model} and {port} must be there.'
const ENVIRONMENT =
  'Variables for its model servers: an object of strings, kept encrypted. It replaces what was there.'

const CreateEngineInput = builder.inputType('CreateEngineInput', {
  description: 'The engine to define.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description:
        'Unique: letters, digits, dots, dashes and underscores. That of a built-in one replaces it.',
    }),
    description: t.string({ description: 'What it is for.' }),
    command: t.stringList({ required: true, description: COMMAND }),
    healthPath: t.string({ description: 'Where its health is asked for; /health unless given.' }),
    environment: t.field({ type: 'JSON', description: ENVIRONMENT }),
  }),
})

const UpdateEngineInput = builder.inputType('UpdateEngineInput', {
  description: 'What to change of an engine; what is left out stays.',
  fields: (t) => ({
    ref: t.string({ required: true, description: 'Its id or name.' }),
    name: t.string({ description: 'Another name.' }),
    description: t.string({ description: 'Another description; null for none.' }),
    command: t.stringList({ description: COMMAND }),
    healthPath: t.string({ description: 'Where its health is asked for, from the next deployment on.' }),
    environment: t.field({ type: 'JSON', description: ENVIRONMENT }),
  }),
})

const DeleteEngineInput = builder.inputType('DeleteEngineInput', {
  description: 'The engine to delete.',
  fields: (t) => ({ ref: t.string({ required: true, description: 'Its id or name.' }) }),
})

builder.queryField('engines', (t) =>
  t.field({
    type: [EngineType],
    description: 'The engines that deployments can use, by name.',
    resolve: (_root, _args, context) => context.services.engines.list(principalOf(context)),
  }),
)

builder.mutationFields((t) => ({
  createEngine: t.field({
    type: EngineType,
    description: 'Defines an engine. For administrators.',
    errors: resultUnion('CreateEngineResult', 'The engine, or why there is none.'),
    args: { input: t.arg({ type: CreateEngineInput, required: true, description: 'The engine.' }) },
    resolve: (_root, { input }, context) => context.services.engines.create(principalOf(context), input),
  }),
  updateEngine: t.field({
    type: EngineType,
    description: 'Changes an engine. Model servers that run go on as they were started. For administrators.',
    errors: resultUnion('UpdateEngineResult', 'The engine, or why it was not changed.'),
    args: { input: t.arg({ type: UpdateEngineInput, required: true, description: 'What to change.' }) },
    resolve: (_root, { input }, context) => context.services.engines.update(principalOf(context), input),
  }),
  deleteEngine: t.field({
    type: EngineType,
    description: 'Deletes an engine that no deployment uses. For administrators.',
    errors: resultUnion('DeleteEngineResult', 'The engine as it was, or why it was not deleted.'),
    args: { input: t.arg({ type: DeleteEngineInput, required: true, description: 'The engine.' }) },
    resolve: (_root, { input }, context) => context.services.engines.delete(principalOf(context), input),
  }),
}))
