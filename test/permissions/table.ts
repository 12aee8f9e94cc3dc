/*
 * Who may do what, on one page. test/permissions/permissions.test.ts walks the printed schema with it: whatever can be
 * reached, for everybody who may ask. What has no entry here fails the test, and so does an entry for what is not there.
 */

/** Who asks. */
export const ROLES = [
  /** Somebody without credentials. */
  'anonymous',
  /** Signed in, and a member of no project. */
  'stranger',
  /** Members of the shared project; `owner` made what is in it. */
  'viewer',
  'editor',
  'owner',
  /** An administrator who is signed in, and a member of no project. */
  'admin',
  /** The same person, with an API token of scope RUN. */
  'adminRun',
  /** The owner, with an API token of scope READ. */
  'ownerRead',
  /** The process of the run in the shared project. */
  'process',
  /** Somebody who must change their password; an owner of the shared project. */
  'expired',
] as const
export type Role = (typeof ROLES)[number]

/**
 * What comes of it: it is done or shown (`ok`), it does not exist for them (`absent`: null, NOT_FOUND, left out of
 * lists), they may not (`no`: FORBIDDEN), they must sign in (`login`: UNAUTHENTICATED), they must set a password of
 * their own first (`expired`: FORBIDDEN, with that reason).
 */
export const OUTCOMES = ['ok', 'absent', 'no', 'login', 'expired'] as const
export type Outcome = (typeof OUTCOMES)[number]

/**
 * What it is asked about. `shared` is in a private project, `team` in one that everybody may see, or a dataset that
 * is; `foreign` is private, and none of the roles has a part in it. `own` is the account of whoever asks (the owner's,
 * for those who have none) and what belongs to it, `other` somebody else's. `server` is what there is once.
 */
export const SUBJECTS = ['shared', 'team', 'foreign', 'own', 'other', 'server'] as const
export type Subject = (typeof SUBJECTS)[number]

/** The rules: of each, what comes of it for whom. */
export const RULES = `
rule       subject  anonymous stranger viewer  editor  owner   admin   adminRun ownerRead process expired

see        shared   login     absent   ok      ok      ok      ok      absent   ok        no      expired
see        team     login     ok       ok      ok      ok      ok      ok       ok        no      expired
see        foreign  login     absent   absent  absent  absent  ok      absent   absent    no      expired

seeInside  shared   login     absent   ok      ok      ok      ok      absent   ok        no      expired
seeInside  foreign  login     absent   absent  absent  absent  ok      absent   absent    no      expired

seeRun     shared   login     absent   ok      ok      ok      ok      absent   ok        ok      expired
seeRun     team     login     ok       ok      ok      ok      ok      ok       ok        no      expired
seeRun     foreign  login     absent   absent  absent  absent  ok      absent   absent    no      expired

work       shared   login     absent   no      ok      ok      ok      absent   no        no      expired
work       team     login     no       no      no      no      ok      no       no        no      expired
work       foreign  login     absent   absent  absent  absent  ok      absent   no        no      expired

report     shared   login     absent   no      ok      ok      ok      absent   no        ok      expired
report     team     login     no       no      no      no      ok      no       no        no      expired
report     foreign  login     absent   absent  absent  absent  ok      absent   no        no      expired

decide     shared   login     absent   no      no      ok      ok      absent   no        no      expired
decide     team     login     no       no      no      no      ok      no       no        no      expired
decide     foreign  login     absent   absent  absent  absent  ok      absent   no        no      expired

choose     server   login     ok       ok      ok      ok      ok      ok       ok        no      expired
make       server   login     ok       ok      ok      ok      ok      ok       no        no      expired

account    own      login     ok       ok      ok      ok      ok      ok       ok        no      expired
account    other    login     ok       ok      ok      ok      ok      ok       ok        no      expired

hold       own      login     ok       ok      ok      ok      ok      ok       ok        no      expired
hold       other    login     absent   absent  absent  absent  ok      absent   absent    no      expired

personal   own      login     ok       ok      ok      ok      ok      ok       ok        no      expired
personal   other    login     absent   absent  absent  absent  ok      absent   absent    no      expired

private    own      login     ok       ok      ok      ok      ok      absent   absent    no      expired
private    other    login     absent   absent  absent  absent  ok      absent   absent    no      expired

end        own      login     ok       ok      ok      ok      ok      no       no        no      expired
end        other    login     absent   absent  absent  absent  ok      no       no        no      expired

self       server   login     ok       ok      ok      ok      ok      ok       ok        no      ok
manageSelf server   login     ok       ok      ok      ok      ok      no       no        no      expired
password   server   login     ok       ok      ok      ok      ok      no       no        no      ok

administer server   login     no       no      no      no      ok      no       no        no      expired
agents     server   login     no       no      no      no      no      no       no        no      expired
adminsSee  server   login     absent   absent  absent  absent  ok      absent   absent    no      expired
nobody     server   login     absent   absent  absent  absent  absent  absent   absent    no      expired

open       server   ok        ok       ok      ok      ok      ok      ok       ok        ok      ok
never      other    login     absent   absent  absent  absent  absent  absent   absent    no      expired
never      own      login     absent   absent  absent  absent  absent  absent   absent    no      expired
`

/** The rule of every way to something: root fields, kinds of nodes, fields that lead to other objects, downloads. */
export const PLACES = `
Query.viewer                     self
Query.user                       account
Query.users                      administer
Query.invitations                administer
Query.serverStatistics           administer
Query.auditEvents                administer
Query.serverInfo                 open
Query.node                       see
Query.project                    see
Query.project (by name)          see
Query.projects                   see
Query.projects (search)          see
Query.run                        seeRun
Query.runs                       see
Query.runs (of a project)        see
Query.artifact                   see
Query.dataset                    see
Query.dataset (in no project)    hold
Query.dataset (by name)          see
Query.datasets                   see

Query.deployment                 see
Query.deployments                see
Query.engines                    choose

Query.computeNode                choose
Query.computeNodes               choose
Query.telemetry                  choose
Query.overview                   choose
Query.assignment                 agents

Query.alert                      see
Query.alerts                     see
Query.alerts (of a project)      see
Query.alertRules                 choose
Query.webhooks                   administer

Query.launcher                   choose
Query.launchers                  choose

node(Launcher)                   choose
node(ComputeNode)                choose
node(AlertRule)                  choose
node(Alert)                      see
node(Webhook)                    adminsSee
node(User)                       account
node(UserSession)                private
node(ApiToken)                   private
node(Invitation)                 adminsSee
node(AuditEvent)                 adminsSee
node(Project)                    see
node(Run)                        see
node(Artifact)                   see
node(Dataset)                    see
node(DatasetFile)                see
node(Deployment)                 see

Project.owner                    see
Project.dataset                  see
Project.dataset (foreign)        adminsSee
Project.deployments              see
Project.launcher                 see
Project.members                  see
Project.runs                     see
Project.versions                 see
ProjectMember.user               see
ProjectVersion.changedBy         see
Run.project                      see
Run.createdBy                    see
Run.resumedFrom                  seeRun
Run.launcher                     see
Run.computeNode                  seeRun
Run.placement                    seeRun
Launcher.createdBy               choose
ComputeNode.labels               choose
ComputeNode.latestTelemetry      choose
ComputeNode.telemetry            choose
ComputeNode.runs                 choose
Launcher.environment             adminsSee
Run.artifacts                    seeRun
Run.logs                         seeRun
Run.metrics                      seeRun
Run.metricSeries                 seeRun
Artifact.run                     see
Artifact.tags                    see
ArtifactTag.appliedBy            see
Dataset.createdBy                see
Dataset.owner                    see
Dataset.files                    see
Dataset.trainConfig              see
Dataset.project                  seeInside
DatasetFile.dataset              see
Deployment.project               see
Deployment.artifact              see
Deployment.placement             see
Deployment.createdBy             see
Deployment.logs                  see
Deployment.environment           see
Alert.project                    see
Alert.rule                       see
Alert.acknowledgedBy             see
AlertRule.createdBy              choose
Webhook.createdBy                adminsSee
Webhook.deliveries               adminsSee
Webhook.url                      adminsSee
Webhook.secret                   nobody
WebhookDelivery.alert            adminsSee
User.sessions                    private
User.apiTokens                   private
User.passwordReset               never
User.id                          account
User.username                    account
User.role                        account
User.createdAt                   account
User.email                       personal
User.preferences                 personal
User.lastLoginAt                 personal
User.mustChangePassword          personal
User.deactivatedAt               never
ApiToken.token                   never
Invitation.project               adminsSee
Invitation.invitedBy             adminsSee
Invitation.acceptedBy            adminsSee
Invitation.token                 nobody
Invitation.url                   nobody
AuditEvent.actor                 adminsSee
AuditEvent.target                adminsSee

Artifact.downloadUrl             see
DatasetFile.downloadUrl          see
AuditExport.url                  administer

Subscription.runUpdated          see
Subscription.runUpdated (of a project) see
Subscription.runUpdated (of all) see
Subscription.runLogs             see
Subscription.runMetrics          see
Subscription.deploymentUpdated   see
Subscription.deploymentUpdated (of all) see
Subscription.deploymentLogs      see
Subscription.agentOrders         agents
Subscription.computeNodeUpdated  choose
Subscription.computeNodeUpdated (of all) choose
Subscription.computeNodeTelemetry choose
Subscription.alertUpdated        see

Mutation.createProject           make
Mutation.updateProject           work
Mutation.updateProject (by name) work
Mutation.updateProject (visibility) decide
Mutation.updateProject (owner)   decide
Mutation.deleteProject           decide
Mutation.setProjectMember        decide
Mutation.removeProjectMember     decide

Mutation.registerAgent           agents
Mutation.sendHeartbeat           agents
Mutation.reportExecution         agents
Mutation.uploadExecutionFile     agents
Mutation.putExecutionResult      agents
Mutation.removeExecutionResults  agents
Mutation.releaseExecution        agents

Mutation.createDataset           make
Mutation.createDataset (in a project) work
Mutation.updateDataset           work
Mutation.deleteDataset           work
Mutation.uploadDatasetFile       work
Mutation.deleteDatasetFile       work
Mutation.uploadTrainConfig       work
Mutation.deleteTrainConfig       work

Mutation.startRun                work
Mutation.cancelRun               work
Mutation.startRuns               work
Mutation.cancelRuns              work
Mutation.cancelRuns (of a project) work
Mutation.resumeRun               work
Mutation.logMetrics              report
Mutation.appendRunLogs           report
Mutation.registerArtifact        report
Mutation.tagArtifact             work
Mutation.untagArtifact           work

Mutation.createDeployment        work
Mutation.startDeployment         work
Mutation.updateDeployment        work
Mutation.stopDeployment          work
Mutation.deleteDeployment        work

Mutation.acknowledgeAlert        work
Mutation.createAlertRule         administer
Mutation.updateAlertRule         administer
Mutation.deleteAlertRule         administer
Mutation.createWebhook           administer
Mutation.updateWebhook           administer
Mutation.deleteWebhook           administer
Mutation.testWebhook             administer

Mutation.login                   open
Mutation.refreshSession          open
Mutation.register                open
Mutation.requestPasswordReset    open
Mutation.resetPassword           open
Mutation.logout                  open
Mutation.changePassword          password
Mutation.logoutEverywhere        manageSelf
Mutation.updatePreferences       manageSelf
Mutation.updateAccount           manageSelf
Mutation.createApiToken          manageSelf
Mutation.revokeApiToken          end
Mutation.revokeSession           end

Mutation.createInvitation        administer
Mutation.revokeInvitation        administer
Mutation.createUser              administer
Mutation.updateUser              administer
Mutation.deactivateUser          administer
Mutation.reactivateUser          administer
Mutation.deleteUser              administer
Mutation.createPasswordReset     administer
Mutation.exportAudit             administer

Mutation.operateComputeNode      administer
Mutation.updateComputeNode       administer
Mutation.deleteComputeNode       administer

Mutation.createLauncher          administer
Mutation.updateLauncher          administer
Mutation.deleteLauncher          administer

Mutation.createEngine            administer
Mutation.updateEngine            administer
Mutation.deleteEngine            administer
`

/** Fields that lead to values which are a part of what they stand in, and are nothing by themselves. */
export const PARTS = `
Deployment.usage Deployment.computeNode DeploymentPlacement.node DeploymentPlacement.labels
LogBatch.lines MetricBatch.points MetricSeries.buckets Telemetry.gpus
ProjectVersion.changes ServerStatistics.runs ValidationError.issues
Session.user
RunPlacement.node RunPlacement.labels RunBatch.results RunCancellation.results
Overview.runCounts Overview.deploymentCounts Overview.nodeCounts Overview.nodesPerProject
ProjectComputeNodes.project ProjectComputeNodes.computeNodes
ComputeNodeOperation.computeNode ComputeNodeOperation.runs ComputeNodeOperation.deployments
ComputeNodeRunResult.run ComputeNodeRunResult.successor ComputeNodeDeploymentResult.deployment
`
