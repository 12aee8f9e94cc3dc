import { OWN_NODE_ID } from '../../src/domains/compute-nodes/own-node.ts'
import type { AskFor } from './asking.ts'
import { EXECUTION } from './mutations.ts'

/** How the root fields of Query and Subscription are asked. */
export const QUERIES: Record<string, AskFor> = {
  'Query.viewer': () => ({ args: {} }),
  'Query.user': (world, subject, role) => ({ args: { ref: world.belongings(subject, role).username } }),
  'Query.users': (world) => ({ args: { first: 100 }, among: world.personOf('owner').id }),
  'Query.invitations': (world) => ({ args: { first: 100 }, among: world.Invitation }),
  'Query.serverStatistics': () => ({ args: {} }),
  'Query.auditEvents': (world) => ({
    args: { filter: { target: world.things('foreign').Project }, first: 100 },
    among: world.AuditEvent,
  }),
  'Query.serverInfo': () => ({ args: {} }),
  'Query.node': (world, subject) => about('id', world.things(subject).Project),
  'Query.engines': () => ({ args: {} }),
  'Query.deployment': (world, subject) => about('id', world.things(subject).Deployment),
  'Query.deployments': (world, subject) => ({
    args: { first: 100 },
    among: world.things(subject).Deployment,
  }),
  'Query.computeNode': () => about('id', OWN_NODE_ID),
  'Query.computeNodes': () => ({ args: { first: 100 }, among: OWN_NODE_ID }),
  'Query.telemetry': () => ({ args: {} }),
  'Query.assignment': () => about('executionId', EXECUTION),
  'Query.overview': () => ({ args: {} }),
  'Query.alert': (world, subject) => about('id', world.things(subject).Alert),
  'Query.alerts': (world, subject) => ({ args: { first: 100 }, among: world.things(subject).Alert }),
  'Query.alerts (of a project)': (world, subject) => ({
    args: { filter: { project: world.things(subject).Project }, first: 100 },
    among: world.things(subject).Alert,
  }),
  'Query.alertRules': (world) => ({ args: { first: 100 }, among: world.AlertRule }),
  'Query.webhooks': (world) => ({ args: { first: 100 }, among: world.Webhook }),
  'Query.launcher': (world) => ({ args: { ref: world.Launcher } }),
  'Query.launchers': (world) => ({ args: { first: 100 }, among: world.Launcher }),

  'Query.project': (world, subject) => about('ref', world.things(subject).Project),
  'Query.project (by name)': (world, subject) => about('ref', world.things(subject).projectName),
  'Query.projects': (world, subject) => ({ args: { first: 100 }, among: world.things(subject).Project }),
  'Query.projects (search)': (world, subject) => ({
    args: { filter: { search: world.things(subject).projectName }, first: 100 },
    among: world.things(subject).Project,
  }),
  'Query.run': (world, subject) => about('id', world.things(subject).Run),
  'Query.runs': (world, subject) => ({ args: { first: 100 }, among: world.things(subject).Run }),
  'Query.runs (of a project)': (world, subject) => ({
    args: { filter: { project: world.things(subject).Project }, first: 100 },
    among: world.things(subject).Run,
  }),
  'Query.artifact': (world, subject) => about('id', world.things(subject).Artifact),
  'Query.dataset': (world, subject) => about('ref', world.things(subject).Dataset),
  'Query.dataset (in no project)': (world, subject, role) =>
    about('ref', world.belongings(subject, role).dataset),
  'Query.dataset (by name)': (world, subject) => about('ref', world.things(subject).datasetName),
  'Query.datasets': (world, subject) => ({ args: { first: 100 }, among: world.things(subject).Dataset }),

  'Subscription.runUpdated': (world, subject) => about('runId', world.things(subject).Run),
  'Subscription.runUpdated (of a project)': (world, subject) =>
    about('project', world.things(subject).Project),
  'Subscription.runUpdated (of all)': (world, subject) => ({ args: {}, among: world.things(subject).Run }),
  'Subscription.runLogs': (world, subject) => about('runId', world.things(subject).Run),
  'Subscription.runMetrics': (world, subject) => about('runId', world.things(subject).Run),
  'Subscription.deploymentUpdated': (world, subject) =>
    about('deploymentId', world.things(subject).Deployment),
  'Subscription.deploymentUpdated (of all)': (world, subject) => ({
    args: {},
    among: world.things(subject).Deployment,
  }),
  'Subscription.agentOrders': () => ({ args: {} }),
  'Subscription.computeNodeUpdated': () => about('computeNodeId', OWN_NODE_ID),
  'Subscription.computeNodeUpdated (of all)': () => ({ args: {}, among: OWN_NODE_ID }),
  'Subscription.computeNodeTelemetry': () => about('computeNodeId', OWN_NODE_ID),
  'Subscription.alertUpdated': (world, subject) => ({ args: {}, among: world.things(subject).openAlert }),
  'Subscription.deploymentLogs': (world, subject) => about('deploymentId', world.things(subject).Deployment),
}

/** Asks for one thing by its id. */
function about(argument: string, id: string) {
  return { args: { [argument]: id }, about: id }
}
