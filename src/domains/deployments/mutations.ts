import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { resultUnion } from '../../graphql/errors.ts'
import { PlacementInput } from '../runs/placement.schema.ts'
import { DeploymentType } from './schema.ts'

const EXTRA_ARGS =
  'Arguments that are added to the command of the engine, each an element of its own. What Trainyard decides itself (host, port, API key, the name of the model) and what runs code is refused.'
const IDLE =
  'After how many seconds without a request it is unloaded, which frees its GPUs; the next request loads it again and waits for that. Never unless given.'

const CreateDeploymentInput = builder.inputType('CreateDeploymentInput', {
  description: 'The model to deploy: either modelPath or artifactId.',
  fields: (t) => ({
    modelPath: t.string({
      description:
        'A file or folder under one of the folders that the server serves models from, absolute or from there; or org/name on the Hugging Face hub where the server allows that. What lies on the server is brought to the compute node that serves it; an absolute path at which nothing lies there is one of that node.',
    }),
    artifactId: t.id({
      description: 'A checkpoint or model that a run produced. It is deployed in its project.',
    }),
    name: t.string({
      description:
        'What clients write as `model`; the last part of the path unless given, or project/run/artifact.',
    }),
    modelVersion: t.string({ description: 'A label for the version.' }),
    environment: t.string({ description: 'A label for where it is used, such as staging or production.' }),
    tags: t.stringList({ description: 'Labels of your own.' }),
    project: t.string({
      description:
        'Id or name of the project that it is in, for its members alone; everybody signed in without.',
    }),
    engine: t.string({ description: 'The name of an engine; vllm unless given.' }),
    extraArgs: t.stringList({ description: EXTRA_ARGS }),
    preferredGpu: t.int({
      description: 'The GPU to take when it has room and is free, as nvidia-smi numbers them.',
    }),
    gpuCount: t.int({
      description: 'How many GPUs to take; one where there are any unless given, 0 for none.',
    }),
    placement: t.field({
      type: PlacementInput,
      description:
        "The compute node that serves it, which must be ONLINE: by name, or any that has the labels; the server's own unless given.",
    }),
    healthPath: t.string({ description: "Where its health is asked for; the engine's unless given." }),
    idleUnloadSeconds: t.int({ description: IDLE }),
    idempotencyKey: t.string({
      description:
        'A text of your own that makes the request safe to repeat: the same key again gives the deployment that the first request made; with other input it is a ConflictError. Keys are per user.',
    }),
  }),
})

const UpdateDeploymentInput = builder.inputType('UpdateDeploymentInput', {
  description:
    'What to change; what is left out stays, null takes the default again. Tags, labels and idleUnloadSeconds take effect at once. Everything else takes another model server: the present one serves until that is healthy (restartPending), and goes on serving, with the earlier settings, if it does not become so.',
  fields: (t) => ({
    deploymentId: t.id({ required: true, description: 'Id of the deployment.' }),
    tags: t.stringList({ description: 'Other labels, in place of those it has. At once.' }),
    modelVersion: t.string({ description: 'Another label for the version. At once.' }),
    environment: t.string({ description: 'Another label for where it is used. At once.' }),
    idleUnloadSeconds: t.int({ description: 'After how long it is unloaded. At once.' }),
    name: t.string({ description: 'What clients write as `model`. Takes a restart.' }),
    modelPath: t.string({ description: 'Another model. Takes a restart.' }),
    artifactId: t.id({ description: 'Another artifact, of the same project. Takes a restart.' }),
    engine: t.string({ description: 'Another engine. Takes a restart.' }),
    extraArgs: t.stringList({ description: `${EXTRA_ARGS} Takes a restart.` }),
    preferredGpu: t.int({ description: 'Another GPU. Takes a restart.' }),
    gpuCount: t.int({ description: 'Another number of GPUs. Takes a restart.' }),
    placement: t.field({
      type: PlacementInput,
      description: "Another compute node; null for the server's own. Takes a restart.",
    }),
    healthPath: t.string({ description: 'Where its health is asked for. Takes a restart.' }),
  }),
})

const StopDeploymentInput = builder.inputType('StopDeploymentInput', {
  description: 'The deployment to stop.',
  fields: (t) => ({
    deploymentId: t.id({ required: true, description: 'Id of the deployment.' }),
    force: t.boolean({
      description:
        'Whether to kill its processes at once, and to give up those on a compute node that has not been heard of for so long that its runs are LOST; false unless given.',
    }),
  }),
})

const StartDeploymentInput = builder.inputType('StartDeploymentInput', {
  description: 'The deployment to start again.',
  fields: (t) => ({ deploymentId: t.id({ required: true, description: 'Id of the deployment.' }) }),
})

const DeleteDeploymentInput = builder.inputType('DeleteDeploymentInput', {
  description: 'The deployment to delete.',
  fields: (t) => ({ deploymentId: t.id({ required: true, description: 'Id of the deployment.' }) }),
})

builder.mutationFields((t) => ({
  createDeployment: t.prismaField({
    type: DeploymentType,
    description:
      'Deploys a model: reserves a port and GPUs of a compute node and starts a model server, which is RUNNING once it is healthy.',
    errors: resultUnion(
      'CreateDeploymentResult',
      'The deployment, or why there is none. An engine that is not installed, no free port or GPU, or a compute node that takes no work is an UnavailableError.',
    ),
    args: { input: t.arg({ type: CreateDeploymentInput, required: true, description: 'The model.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.deployments.create(principalOf(context), input, query),
  }),
  startDeployment: t.prismaField({
    type: DeploymentType,
    description: 'Starts a deployment again that has stopped or failed, with the settings that it has.',
    errors: resultUnion('StartDeploymentResult', 'The deployment, or why it cannot be started.'),
    args: {
      input: t.arg({ type: StartDeploymentInput, required: true, description: 'The deployment to start.' }),
    },
    resolve: (query, _root, { input }, context) =>
      context.services.deployments.start(principalOf(context), input, query),
  }),
  updateDeployment: t.prismaField({
    type: DeploymentType,
    description:
      'Changes a deployment, also one that serves; restartPending says whether that takes a restart.',
    errors: resultUnion('UpdateDeploymentResult', 'The deployment, or why it was not changed.'),
    args: { input: t.arg({ type: UpdateDeploymentInput, required: true, description: 'What to change.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.deployments.update(principalOf(context), input, query),
  }),
  stopDeployment: t.prismaField({
    type: DeploymentType,
    description:
      'Stops a deployment: SIGTERM to all its processes. It answers when they are gone; a ConflictError when they have not ended within the grace, after which force kills them, or when their compute node is not heard of: they end when it is back.',
    errors: resultUnion('StopDeploymentResult', 'The stopped deployment, or why it is not.'),
    args: {
      input: t.arg({ type: StopDeploymentInput, required: true, description: 'The deployment to stop.' }),
    },
    resolve: (query, _root, { input }, context) =>
      context.services.deployments.stop(principalOf(context), input, query),
  }),
  deleteDeployment: t.prismaField({
    type: DeploymentType,
    description:
      'Removes a deployment with its log, its port and its GPUs. What still runs of it is ended first, and killed after the grace. While the compute node of that is not heard of it is a ConflictError: the deployment goes when the node is back.',
    errors: resultUnion('DeleteDeploymentResult', 'The deployment as it was, or why it was not deleted.'),
    args: {
      input: t.arg({ type: DeleteDeploymentInput, required: true, description: 'The deployment to delete.' }),
    },
    resolve: (query, _root, { input }, context) =>
      context.services.deployments.delete(principalOf(context), input, query),
  }),
}))
