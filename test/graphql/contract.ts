/**
 * What clients that were written before this server rely on: names, arguments and nullability. The schema
 * may have more, never less. Connections and results follow conventions and are checked by those.
 */
export const CONTRACT = /* GraphQL */ `
  scalar BigInt
  scalar DateTime
  scalar JSON
  scalar Upload

  interface Node { id: ID! }
  interface Error { code: String!, message: String! }
  type ValidationError implements Error { code: String!, message: String!, issues: [FieldIssue!]! }
  type FieldIssue { path: [String!]!, message: String! }
  type NotFoundError implements Error { code: String!, message: String! }
  type ConflictError implements Error { code: String!, message: String! }
  type PreconditionFailedError implements Error { code: String!, message: String!, missing: [String!]! }
  type UnavailableError implements Error { code: String!, message: String! }
  enum Locale { EN ZH_CN }

  enum ProjectStatus { DRAFT ACTIVE PAUSED COMPLETED ARCHIVED }
  type Project implements Node {
    id: ID!
    name: String!
    description: String
    objective: String
    taskType: String
    baseModel: String
    owner: User!
    tags: [String!]!
    defaultHyperparameters: JSON!
    datasetName: String
    trainConfigName: String
    dataset: Dataset
    command: [String!]!
    resumeArgs: [String!]!
    status: ProjectStatus!
    statusLabel(locale: Locale! = EN): String!
    runCount: Int!
    runs(first: Int, after: String, last: Int, before: String, filter: RunFilter): RunConnection!
    versions(first: Int, after: String): ProjectVersionConnection!
    createdAt: DateTime!
    updatedAt: DateTime!
  }

  enum RunStatus { QUEUED STARTING RUNNING CANCELLING SUCCEEDED FAILED CANCELLED LOST }
  type Run implements Node {
    id: ID!
    project: Project!
    name: String!
    status: RunStatus!
    statusLabel(locale: Locale! = EN): String!
    statusReason: String
    progress: Float!
    step: Int
    totalSteps: Int
    epoch: Float
    model: String
    datasetName: String
    hyperparameters: JSON!
    resources: JSON!
    startCommand: String!
    exitCode: Int
    gpuUtilization: Float
    metrics: [MetricValue!]!
    metricSeries(keys: [String!], maxPoints: Int! = 1000, minStep: Int, maxStep: Int): [MetricSeries!]!
    logs(first: Int, after: String, last: Int, before: String, filter: LogFilter): LogConnection!
    artifacts(first: Int, after: String, filter: ArtifactFilter): ArtifactConnection!
    resumedFrom: Artifact
    createdBy: User!
    createdAt: DateTime!
    startedAt: DateTime
    finishedAt: DateTime
    updatedAt: DateTime!
    canCancel: Boolean!
    canResume: Boolean!
  }
  type MetricValue { key: String!, value: Float!, step: Int!, timestamp: DateTime! }
  type MetricSeries { key: String!, pointCount: Int!, buckets: [MetricBucket!]! }
  type MetricBucket {
    step: Int!
    lastStep: Int!
    min: Float!
    max: Float!
    mean: Float!
    last: Float!
    count: Int!
  }
  enum LogLevel { DEBUG INFO WARNING ERROR }
  enum LogSource { STDOUT STDERR SYSTEM }
  type LogLine { seq: Int!, timestamp: DateTime!, level: LogLevel!, source: LogSource!, message: String! }
  input LogFilter { minLevel: LogLevel, source: LogSource, search: String, since: DateTime, until: DateTime }

  enum ArtifactType { CHECKPOINT TENSORBOARD EVALUATION CONFIG MODEL FILE }
  enum ArtifactTagValue { CANDIDATE RELEASE ARCHIVED }
  type Artifact implements Node {
    id: ID!
    run: Run!
    name: String!
    type: ArtifactType!
    uri: String!
    sizeBytes: BigInt
    sha256: String
    step: Int
    tags: [ArtifactTag!]!
    downloadUrl: String!
    createdAt: DateTime!
  }
  type ArtifactTag {
    value: ArtifactTagValue!
    label(locale: Locale! = EN): String!
    notes: String
    appliedAt: DateTime!
    appliedBy: User!
  }

  type Dataset implements Node {
    id: ID!
    name: String!
    type: String
    source: String
    taskType: String
    metadata: JSON!
    status: DatasetStatus!
    files: [DatasetFile!]!
    trainConfig: TrainConfig
    totalBytes: BigInt!
    createdAt: DateTime!
    updatedAt: DateTime!
  }
  enum DatasetStatus { CREATED READY TRAIN_CONFIG_UPLOADED TRAIN_CONFIG_DELETED }
  type DatasetFile implements Node {
    id: ID!
    filename: String!
    sizeBytes: BigInt!
    sha256: String!
    uploadedAt: DateTime!
    downloadUrl: String!
  }
  type TrainConfig { filename: String!, sizeBytes: BigInt!, uploadedAt: DateTime!, content: JSON! }

  enum DeploymentStatus { PENDING STARTING RUNNING UNHEALTHY STOPPING STOPPED FAILED }
  type Deployment implements Node {
    id: ID!
    modelPath: String!
    modelVersion: String
    tags: [String!]!
    gpuIds: [Int!]!
    port: Int
    pid: Int
    status: DeploymentStatus!
    statusReason: String
    healthy: Boolean!
    healthPath: String!
    command: String!
    endpoint: String
    logs(first: Int, after: String, last: Int, before: String, filter: LogFilter): LogConnection!
    restarts: Int!
    createdAt: DateTime!
    startedAt: DateTime
    stoppedAt: DateTime
  }

  enum Role { ADMIN MEMBER }
  type User implements Node {
    id: ID!
    username: String!
    email: String
    role: Role!
    preferences: JSON!
    createdAt: DateTime!
    lastLoginAt: DateTime
  }
  type Session { accessToken: String!, expiresAt: DateTime!, user: User! }

  type Telemetry {
    timestamp: DateTime!
    cpuUsage: Float!
    memoryUsage: Float!
    memoryTotalBytes: BigInt!
    diskUsage: Float
    networkRxBytesPerSecond: Float
    networkTxBytesPerSecond: Float
    gpus: [GpuTelemetry!]!
  }
  type GpuTelemetry {
    index: Int!
    name: String!
    utilization: Float
    memoryUsedBytes: BigInt
    memoryTotalBytes: BigInt
    temperatureCelsius: Float
    powerWatts: Float
  }

  type Query {
    viewer: User
    node(id: ID!): Node
    serverInfo: ServerInfo!
    project(ref: String!): Project
    projects(filter: ProjectFilter, first: Int, after: String, last: Int, before: String): ProjectConnection!
    run(id: ID!): Run
    runs(filter: RunFilter, first: Int, after: String, last: Int, before: String): RunConnection!
    artifact(id: ID!): Artifact
    dataset(ref: String!): Dataset
    datasets(filter: DatasetFilter, first: Int, after: String, last: Int, before: String): DatasetConnection!
    deployment(id: ID!): Deployment
    deployments(filter: DeploymentFilter, first: Int, after: String, last: Int, before: String): DeploymentConnection!
  }
  input DeploymentFilter { model: String, tag: String, status: DeploymentStatus }
  input ProjectFilter { owner: String, status: ProjectStatus, tag: String, search: String }
  input RunFilter { project: String, status: [RunStatus!], search: String }
  input ArtifactFilter { type: ArtifactType, tag: ArtifactTagValue }

  type Mutation {
    login(input: LoginInput!): LoginResult!
    refreshSession: RefreshSessionResult!
    logout: Boolean!
    createApiToken(input: CreateApiTokenInput!): CreateApiTokenResult!
    createProject(input: CreateProjectInput!): CreateProjectResult!
    updateProject(input: UpdateProjectInput!): UpdateProjectResult!
    deleteProject(input: DeleteProjectInput!): DeleteProjectResult!
    createDataset(input: CreateDatasetInput!): CreateDatasetResult!
    deleteDataset(input: DeleteDatasetInput!): DeleteDatasetResult!
    uploadDatasetFile(input: UploadDatasetFileInput!): UploadDatasetFileResult!
    deleteDatasetFile(input: DeleteDatasetFileInput!): DeleteDatasetFileResult!
    uploadTrainConfig(input: UploadTrainConfigInput!): UploadTrainConfigResult!
    deleteTrainConfig(input: DeleteTrainConfigInput!): DeleteTrainConfigResult!
    startRun(input: StartRunInput!): StartRunResult!
    cancelRun(input: CancelRunInput!): CancelRunResult!
    resumeRun(input: ResumeRunInput!): ResumeRunResult!
    logMetrics(input: LogMetricsInput!): LogMetricsResult!
    appendRunLogs(input: AppendRunLogsInput!): AppendRunLogsResult!
    registerArtifact(input: RegisterArtifactInput!): RegisterArtifactResult!
    tagArtifact(input: TagArtifactInput!): TagArtifactResult!
    untagArtifact(input: UntagArtifactInput!): UntagArtifactResult!
    createDeployment(input: CreateDeploymentInput!): CreateDeploymentResult!
    stopDeployment(input: StopDeploymentInput!): StopDeploymentResult!
    deleteDeployment(input: DeleteDeploymentInput!): DeleteDeploymentResult!
  }

  type Subscription {
    runUpdated(runId: ID, project: String): Run!
    runLogs(runId: ID!, after: String, filter: LogFilter): LogBatch!
    runMetrics(runId: ID!, keys: [String!], after: String): MetricBatch!
    deploymentUpdated(deploymentId: ID): Deployment!
    deploymentLogs(deploymentId: ID!, after: String, filter: LogFilter): LogBatch!
    computeNodeTelemetry(computeNodeId: ID!): Telemetry!
  }
  type LogBatch { lines: [LogLine!]!, cursor: String! }
  type MetricBatch { points: [MetricValue!]!, cursor: String! }
`

/** The fields of inputs that clients fill in; only their names are fixed. */
export const INPUT_FIELDS: Record<string, string[]> = {
  LoginInput: ['username', 'password'],
  UpdateProjectInput: ['ref', 'name', 'tags', 'status', 'defaultHyperparameters', 'command', 'resumeArgs'],
  UploadDatasetFileInput: ['dataset', 'file'],
  UploadTrainConfigInput: ['dataset', 'file'],
  StartRunInput: [
    'project',
    'name',
    'model',
    'datasetName',
    'hyperparameters',
    'resources',
    'idempotencyKey',
  ],
  CancelRunInput: ['runId', 'graceSeconds'],
  ResumeRunInput: [
    'runId',
    'artifactId',
    'name',
    'model',
    'datasetName',
    'hyperparameters',
    'resources',
    'idempotencyKey',
  ],
  LogMetricsInput: ['runId', 'series'],
  MetricColumnsInput: ['key', 'steps', 'values', 'timestamps'],
  TagArtifactInput: ['artifactId', 'value', 'notes'],
  CreateDeploymentInput: [
    'modelPath',
    'artifactId',
    'modelVersion',
    'tags',
    'extraArgs',
    'preferredGpu',
    'gpuCount',
    'healthPath',
    'idempotencyKey',
  ],
  StopDeploymentInput: ['deploymentId', 'force'],
  DeleteDeploymentInput: ['deploymentId'],
}

/** What each mutation gives when it succeeds. */
export const MADE_BY: Record<string, string> = {
  login: 'Session',
  refreshSession: 'Session',
  register: 'Session',
  logout: 'Boolean',
  logoutEverywhere: 'User',
  revokeSession: 'UserSession',
  changePassword: 'User',
  updatePreferences: 'User',
  updateAccount: 'User',
  requestPasswordReset: 'PasswordResetRequest',
  resetPassword: 'Session',
  createPasswordReset: 'PasswordReset',
  createInvitation: 'Invitation',
  revokeInvitation: 'Invitation',
  createApiToken: 'ApiToken',
  revokeApiToken: 'ApiToken',
  createUser: 'User',
  updateUser: 'User',
  deactivateUser: 'User',
  reactivateUser: 'User',
  deleteUser: 'User',
  createProject: 'Project',
  updateProject: 'Project',
  deleteProject: 'Project',
  operateComputeNode: 'ComputeNodeOperation',
  updateComputeNode: 'ComputeNode',
  deleteComputeNode: 'ComputeNode',
  createLauncher: 'Launcher',
  updateLauncher: 'Launcher',
  deleteLauncher: 'Launcher',
  setProjectMember: 'ProjectMember',
  removeProjectMember: 'Project',
  createDataset: 'Dataset',
  updateDataset: 'Dataset',
  deleteDataset: 'Dataset',
  uploadDatasetFile: 'DatasetFile',
  deleteDatasetFile: 'Dataset',
  uploadTrainConfig: 'Dataset',
  deleteTrainConfig: 'Dataset',
  startRun: 'Run',
  cancelRun: 'Run',
  startRuns: 'RunBatch',
  cancelRuns: 'RunCancellation',
  resumeRun: 'Run',
  logMetrics: 'Run',
  appendRunLogs: 'Run',
  registerArtifact: 'Artifact',
  tagArtifact: 'Artifact',
  untagArtifact: 'Artifact',
  exportAudit: 'AuditExport',
  createDeployment: 'Deployment',
  startDeployment: 'Deployment',
  updateDeployment: 'Deployment',
  stopDeployment: 'Deployment',
  deleteDeployment: 'Deployment',
  registerAgent: 'ComputeNode',
  sendHeartbeat: 'AgentOrders',
  reportExecution: 'ExecutionOrder',
  uploadExecutionFile: 'ExecutionFileUpload',
  putExecutionResult: 'ExecutionResult',
  removeExecutionResults: 'RemovedResults',
  releaseExecution: 'ReleasedExecution',
  createEngine: 'Engine',
  updateEngine: 'Engine',
  deleteEngine: 'Engine',
  acknowledgeAlert: 'Alert',
  createAlertRule: 'AlertRule',
  updateAlertRule: 'AlertRule',
  deleteAlertRule: 'AlertRule',
  createWebhook: 'Webhook',
  updateWebhook: 'Webhook',
  deleteWebhook: 'Webhook',
  testWebhook: 'WebhookTest',
}
