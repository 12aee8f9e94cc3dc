import type { AuditAction } from '../../../src/domains/audit/record.ts'

/** Why a mutation leaves no event. */
export interface NotRecorded {
  why: string
}

/** What agents do all the time. */
const AGENTS_WORK: NotRecorded = {
  why: 'An agent does what runs and deployments were started for, which is written down.',
}

/** What each mutation writes down, or why nothing. */
export const RECORDED: Record<string, AuditAction | NotRecorded> = {
  login: 'SIGNED_IN',
  refreshSession: { why: 'It goes on with a sign-in that is written down; the reuse of an old token is.' },
  logout: 'SIGNED_OUT',
  logoutEverywhere: 'SIGNED_OUT_EVERYWHERE',
  revokeSession: 'SESSION_REVOKED',
  createApiToken: 'API_TOKEN_CREATED',
  revokeApiToken: 'API_TOKEN_REVOKED',

  register: 'USER_REGISTERED',
  changePassword: 'PASSWORD_CHANGED',
  requestPasswordReset: 'PASSWORD_RESET_REQUESTED',
  resetPassword: 'PASSWORD_RESET',
  updateAccount: 'USER_UPDATED',
  updatePreferences: 'USER_UPDATED',

  createInvitation: 'INVITATION_CREATED',
  revokeInvitation: 'INVITATION_REVOKED',
  createUser: 'USER_CREATED',
  updateUser: 'USER_UPDATED',
  deactivateUser: 'USER_DEACTIVATED',
  reactivateUser: 'USER_REACTIVATED',
  deleteUser: 'USER_DELETED',
  createPasswordReset: 'PASSWORD_RESET_REQUESTED',

  createProject: 'PROJECT_CREATED',
  updateProject: 'PROJECT_UPDATED',
  deleteProject: 'PROJECT_DELETED',
  setProjectMember: 'PROJECT_MEMBER_SET',
  removeProjectMember: 'PROJECT_MEMBER_REMOVED',

  createLauncher: 'LAUNCHER_CREATED',
  updateLauncher: 'LAUNCHER_UPDATED',
  deleteLauncher: 'LAUNCHER_DELETED',

  createDataset: 'DATASET_CREATED',
  updateDataset: 'DATASET_UPDATED',
  deleteDataset: 'DATASET_DELETED',
  uploadDatasetFile: 'DATASET_FILE_UPLOADED',
  deleteDatasetFile: 'DATASET_FILE_DELETED',
  uploadTrainConfig: 'TRAIN_CONFIG_UPLOADED',
  deleteTrainConfig: 'TRAIN_CONFIG_DELETED',

  startRun: 'RUN_STARTED',
  cancelRun: 'RUN_CANCELLED',
  startRuns: 'RUN_STARTED',
  cancelRuns: 'RUN_CANCELLED',
  resumeRun: 'RUN_RESUMED',
  logMetrics: { why: 'What a run measures is its own record, and comes thousands of times.' },
  appendRunLogs: { why: 'What a run says is its own record, and comes thousands of times.' },
  registerArtifact: 'ARTIFACT_REGISTERED',
  tagArtifact: 'ARTIFACT_TAGGED',
  untagArtifact: 'ARTIFACT_UNTAGGED',

  createDeployment: 'DEPLOYMENT_CREATED',
  startDeployment: 'DEPLOYMENT_STARTED',
  updateDeployment: 'DEPLOYMENT_UPDATED',
  stopDeployment: 'DEPLOYMENT_STOPPED',
  deleteDeployment: 'DEPLOYMENT_DELETED',
  registerAgent: 'COMPUTE_NODE_REGISTERED',
  operateComputeNode: 'COMPUTE_NODE_OPERATED',
  updateComputeNode: 'COMPUTE_NODE_UPDATED',
  deleteComputeNode: 'COMPUTE_NODE_DELETED',
  sendHeartbeat: AGENTS_WORK,
  reportExecution: AGENTS_WORK,
  uploadExecutionFile: AGENTS_WORK,
  putExecutionResult: AGENTS_WORK,
  removeExecutionResults: AGENTS_WORK,
  releaseExecution: AGENTS_WORK,

  createEngine: 'ENGINE_CREATED',
  updateEngine: 'ENGINE_UPDATED',
  deleteEngine: 'ENGINE_DELETED',

  acknowledgeAlert: 'ALERT_ACKNOWLEDGED',
  createAlertRule: 'ALERT_RULE_CREATED',
  updateAlertRule: 'ALERT_RULE_UPDATED',
  deleteAlertRule: 'ALERT_RULE_DELETED',
  createWebhook: 'WEBHOOK_CREATED',
  updateWebhook: 'WEBHOOK_UPDATED',
  deleteWebhook: 'WEBHOOK_DELETED',
  testWebhook: 'WEBHOOK_TESTED',

  exportAudit: 'AUDIT_EXPORTED',
}
