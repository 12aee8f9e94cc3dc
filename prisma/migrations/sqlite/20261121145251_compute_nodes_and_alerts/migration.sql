-- CreateTable
CREATE TABLE "ComputeNode" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "mode" TEXT NOT NULL DEFAULT 'ACTIVE',
    "isOnline" BOOLEAN NOT NULL DEFAULT false,
    "location" TEXT,
    "address" TEXT,
    "maxRuns" INTEGER NOT NULL DEFAULT 1,
    "hardware" JSONB NOT NULL,
    "agentVersion" TEXT,
    "installationId" TEXT,
    "lastSeenAt" DATETIME,
    "startedAt" DATETIME,
    "createdAt" DATETIME NOT NULL,
    "updatedAt" DATETIME NOT NULL,
    "apiTokenId" TEXT,
    "telemetryId" INTEGER NOT NULL,
    CONSTRAINT "ComputeNode_apiTokenId_fkey" FOREIGN KEY ("apiTokenId") REFERENCES "ApiToken" ("id") ON DELETE SET NULL ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "ComputeNodeLabel" (
    "nodeId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "value" TEXT NOT NULL,

    PRIMARY KEY ("nodeId", "name"),
    CONSTRAINT "ComputeNodeLabel_nodeId_fkey" FOREIGN KEY ("nodeId") REFERENCES "ComputeNode" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Execution" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "nodeId" TEXT NOT NULL,
    "directory" TEXT NOT NULL,
    "graceSeconds" REAL,
    "endRequestedAt" DATETIME,
    "isSettled" BOOLEAN NOT NULL DEFAULT false,
    "report" JSONB,
    "reportedAt" DATETIME,
    "createdAt" DATETIME NOT NULL,
    CONSTRAINT "Execution_nodeId_fkey" FOREIGN KEY ("nodeId") REFERENCES "ComputeNode" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "TelemetryBucket" (
    "telemetryId" INTEGER NOT NULL,
    "width" INTEGER NOT NULL,
    "start" BIGINT NOT NULL,
    "count" INTEGER NOT NULL,
    "content" TEXT NOT NULL,

    PRIMARY KEY ("telemetryId", "width", "start")
) WITHOUT ROWID;

-- CreateTable
CREATE TABLE "AlertRule" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "condition" TEXT NOT NULL,
    "threshold" REAL,
    "durationSeconds" INTEGER NOT NULL DEFAULT 0,
    "level" TEXT NOT NULL,
    "enabled" BOOLEAN NOT NULL DEFAULT true,
    "createdAt" DATETIME NOT NULL,
    "updatedAt" DATETIME NOT NULL,
    "createdById" TEXT,
    CONSTRAINT "AlertRule_createdById_fkey" FOREIGN KEY ("createdById") REFERENCES "User" ("id") ON DELETE SET NULL ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Alert" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "condition" TEXT NOT NULL,
    "level" TEXT NOT NULL,
    "subjectKind" TEXT NOT NULL,
    "subjectId" TEXT NOT NULL,
    "subjectName" TEXT NOT NULL,
    "message" TEXT NOT NULL,
    "value" REAL,
    "firedAt" DATETIME NOT NULL,
    "resolvedAt" DATETIME,
    "acknowledgedAt" DATETIME,
    "acknowledgedById" TEXT,
    "note" TEXT,
    "ruleId" TEXT,
    "projectId" TEXT,
    CONSTRAINT "Alert_acknowledgedById_fkey" FOREIGN KEY ("acknowledgedById") REFERENCES "User" ("id") ON DELETE SET NULL ON UPDATE CASCADE,
    CONSTRAINT "Alert_ruleId_fkey" FOREIGN KEY ("ruleId") REFERENCES "AlertRule" ("id") ON DELETE SET NULL ON UPDATE CASCADE,
    CONSTRAINT "Alert_projectId_fkey" FOREIGN KEY ("projectId") REFERENCES "Project" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Webhook" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "url" TEXT NOT NULL,
    "secret" TEXT NOT NULL,
    "minimumLevel" TEXT NOT NULL,
    "enabled" BOOLEAN NOT NULL DEFAULT true,
    "createdAt" DATETIME NOT NULL,
    "updatedAt" DATETIME NOT NULL,
    "createdById" TEXT NOT NULL,
    CONSTRAINT "Webhook_createdById_fkey" FOREIGN KEY ("createdById") REFERENCES "User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "WebhookDelivery" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "event" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "nextAttemptAt" DATETIME,
    "lastStatus" INTEGER,
    "lastError" TEXT,
    "createdAt" DATETIME NOT NULL,
    "deliveredAt" DATETIME,
    "webhookId" TEXT NOT NULL,
    "alertId" TEXT NOT NULL,
    CONSTRAINT "WebhookDelivery_webhookId_fkey" FOREIGN KEY ("webhookId") REFERENCES "Webhook" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "WebhookDelivery_alertId_fkey" FOREIGN KEY ("alertId") REFERENCES "Alert" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- The server's own machine: what runs before this migration runs there.
INSERT INTO "ComputeNode" ("id", "name", "type", "hardware", "createdAt", "updatedAt", "telemetryId")
VALUES ('node_00000000000000000000000000', 'server', 'CONTROL', '{}', strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'), strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'), 0);

-- The rules that every server begins with: made here, and so once, whatever becomes of them.
INSERT INTO "AlertRule" ("id", "name", "condition", "threshold", "durationSeconds", "level", "createdAt", "updatedAt")
VALUES
('rule_00000000000000000000000001', 'High CPU usage', 'NODE_CPU', 90, 300, 'WARNING', strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'), strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')),
('rule_00000000000000000000000002', 'High memory usage', 'NODE_MEMORY', 85, 60, 'WARNING', strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'), strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')),
('rule_00000000000000000000000003', 'Disk nearly full', 'NODE_DISK', 90, 0, 'CRITICAL', strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'), strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')),
('rule_00000000000000000000000004', 'Hot GPU', 'GPU_TEMPERATURE', 75, 60, 'WARNING', strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'), strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')),
('rule_00000000000000000000000005', 'Compute node offline', 'NODE_OFFLINE', NULL, 30, 'CRITICAL', strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'), strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')),
('rule_00000000000000000000000006', 'Run failed', 'RUN_FAILED', NULL, 0, 'WARNING', strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'), strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')),
('rule_00000000000000000000000007', 'Run lost', 'RUN_LOST', NULL, 0, 'CRITICAL', strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'), strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')),
('rule_00000000000000000000000008', 'Loss is not a number', 'RUN_METRIC_NOT_FINITE', NULL, 0, 'WARNING', strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'), strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')),
('rule_00000000000000000000000009', 'Deployment unhealthy', 'DEPLOYMENT_UNHEALTHY', NULL, 30, 'WARNING', strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'), strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')),
('rule_00000000000000000000000010', 'Deployment failed', 'DEPLOYMENT_FAILED', NULL, 0, 'CRITICAL', strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'), strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'));

-- RedefineTables
PRAGMA defer_foreign_keys=ON;
PRAGMA foreign_keys=OFF;
CREATE TABLE "new_Deployment" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "modelPath" TEXT NOT NULL,
    "modelVersion" TEXT,
    "environment" TEXT,
    "engine" TEXT NOT NULL,
    "extraArgs" JSONB NOT NULL,
    "gpuCount" INTEGER,
    "preferredGpu" INTEGER,
    "healthPath" TEXT NOT NULL,
    "idleUnloadSeconds" INTEGER,
    "wantedNodeId" TEXT,
    "wantedLabels" JSONB,
    "revision" INTEGER NOT NULL DEFAULT 1,
    "status" TEXT NOT NULL,
    "statusReason" TEXT,
    "unloaded" BOOLEAN NOT NULL DEFAULT false,
    "removing" BOOLEAN NOT NULL DEFAULT false,
    "command" TEXT NOT NULL,
    "restarts" INTEGER NOT NULL DEFAULT 0,
    "idempotencyKey" TEXT,
    "requestHash" TEXT,
    "createdAt" DATETIME NOT NULL,
    "startedAt" DATETIME,
    "stoppedAt" DATETIME,
    "lastRequestAt" DATETIME,
    "updatedAt" DATETIME NOT NULL,
    "projectId" TEXT,
    "artifactId" TEXT,
    "createdById" TEXT NOT NULL,
    "logStreamId" INTEGER NOT NULL,
    CONSTRAINT "Deployment_wantedNodeId_fkey" FOREIGN KEY ("wantedNodeId") REFERENCES "ComputeNode" ("id") ON DELETE SET NULL ON UPDATE CASCADE,
    CONSTRAINT "Deployment_projectId_fkey" FOREIGN KEY ("projectId") REFERENCES "Project" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "Deployment_artifactId_fkey" FOREIGN KEY ("artifactId") REFERENCES "Artifact" ("id") ON DELETE SET NULL ON UPDATE CASCADE,
    CONSTRAINT "Deployment_createdById_fkey" FOREIGN KEY ("createdById") REFERENCES "User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "Deployment_logStreamId_fkey" FOREIGN KEY ("logStreamId") REFERENCES "Stream" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);
INSERT INTO "new_Deployment" ("artifactId", "command", "createdAt", "createdById", "engine", "environment", "extraArgs", "gpuCount", "healthPath", "id", "idempotencyKey", "idleUnloadSeconds", "lastRequestAt", "logStreamId", "modelPath", "modelVersion", "name", "preferredGpu", "projectId", "removing", "requestHash", "restarts", "revision", "startedAt", "status", "statusReason", "stoppedAt", "unloaded", "updatedAt") SELECT "artifactId", "command", "createdAt", "createdById", "engine", "environment", "extraArgs", "gpuCount", "healthPath", "id", "idempotencyKey", "idleUnloadSeconds", "lastRequestAt", "logStreamId", "modelPath", "modelVersion", "name", "preferredGpu", "projectId", "removing", "requestHash", "restarts", "revision", "startedAt", "status", "statusReason", "stoppedAt", "unloaded", "updatedAt" FROM "Deployment";
DROP TABLE "Deployment";
ALTER TABLE "new_Deployment" RENAME TO "Deployment";
CREATE UNIQUE INDEX "Deployment_logStreamId_key" ON "Deployment"("logStreamId");
CREATE INDEX "Deployment_name_idx" ON "Deployment"("name");
CREATE INDEX "Deployment_status_idx" ON "Deployment"("status");
CREATE INDEX "Deployment_projectId_idx" ON "Deployment"("projectId");
CREATE INDEX "Deployment_artifactId_idx" ON "Deployment"("artifactId");
CREATE INDEX "Deployment_wantedNodeId_idx" ON "Deployment"("wantedNodeId");
CREATE UNIQUE INDEX "Deployment_createdById_idempotencyKey_key" ON "Deployment"("createdById", "idempotencyKey");
CREATE TABLE "new_GpuReservation" (
    "nodeId" TEXT NOT NULL DEFAULT 'node_00000000000000000000000000',
    "gpu" INTEGER NOT NULL,
    "modelServerId" TEXT,
    "runId" TEXT,

    PRIMARY KEY ("nodeId", "gpu"),
    CONSTRAINT "GpuReservation_nodeId_fkey" FOREIGN KEY ("nodeId") REFERENCES "ComputeNode" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "GpuReservation_modelServerId_fkey" FOREIGN KEY ("modelServerId") REFERENCES "ModelServer" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "GpuReservation_runId_fkey" FOREIGN KEY ("runId") REFERENCES "Run" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);
INSERT INTO "new_GpuReservation" ("gpu", "modelServerId") SELECT "gpu", "modelServerId" FROM "GpuReservation";
DROP TABLE "GpuReservation";
ALTER TABLE "new_GpuReservation" RENAME TO "GpuReservation";
CREATE INDEX "GpuReservation_modelServerId_idx" ON "GpuReservation"("modelServerId");
CREATE INDEX "GpuReservation_runId_idx" ON "GpuReservation"("runId");
CREATE TABLE "new_ModelServer" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "nodeId" TEXT NOT NULL DEFAULT 'node_00000000000000000000000000',
    "revision" INTEGER NOT NULL,
    "settings" JSONB NOT NULL,
    "port" INTEGER NOT NULL,
    "phase" TEXT NOT NULL,
    "argv" JSONB NOT NULL,
    "starts" INTEGER NOT NULL DEFAULT 1,
    "crashes" INTEGER NOT NULL DEFAULT 0,
    "launchAt" DATETIME NOT NULL,
    "tryingSince" DATETIME NOT NULL,
    "launchedAt" DATETIME,
    "healthySince" DATETIME,
    "pid" INTEGER,
    "ending" BOOLEAN NOT NULL DEFAULT false,
    "killAfterSeconds" REAL,
    "retired" BOOLEAN NOT NULL DEFAULT false,
    "stdoutOffset" BIGINT NOT NULL DEFAULT 0,
    "stderrOffset" BIGINT NOT NULL DEFAULT 0,
    "createdAt" DATETIME NOT NULL,
    "deploymentId" TEXT NOT NULL,
    CONSTRAINT "ModelServer_nodeId_fkey" FOREIGN KEY ("nodeId") REFERENCES "ComputeNode" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "ModelServer_deploymentId_fkey" FOREIGN KEY ("deploymentId") REFERENCES "Deployment" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);
INSERT INTO "new_ModelServer" ("argv", "crashes", "createdAt", "deploymentId", "ending", "healthySince", "id", "killAfterSeconds", "launchAt", "launchedAt", "phase", "pid", "port", "retired", "revision", "settings", "starts", "stderrOffset", "stdoutOffset", "tryingSince") SELECT "argv", "crashes", "createdAt", "deploymentId", "ending", "healthySince", "id", "killAfterSeconds", "launchAt", "launchedAt", "phase", "pid", "port", "retired", "revision", "settings", "starts", "stderrOffset", "stdoutOffset", "tryingSince" FROM "ModelServer";
DROP TABLE "ModelServer";
ALTER TABLE "new_ModelServer" RENAME TO "ModelServer";
CREATE UNIQUE INDEX "ModelServer_deploymentId_revision_key" ON "ModelServer"("deploymentId", "revision");
CREATE UNIQUE INDEX "ModelServer_nodeId_port_key" ON "ModelServer"("nodeId", "port");
CREATE TABLE "new_Run" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "statusReason" TEXT,
    "progress" REAL NOT NULL DEFAULT 0,
    "step" INTEGER,
    "totalSteps" INTEGER,
    "epoch" REAL,
    "model" TEXT,
    "datasetName" TEXT,
    "hyperparameters" JSONB NOT NULL,
    "resources" JSONB NOT NULL,
    "argv" JSONB NOT NULL,
    "startCommand" TEXT NOT NULL,
    "exitCode" INTEGER,
    "gpuUtilization" REAL,
    "checkpointCount" INTEGER NOT NULL DEFAULT 0,
    "graceSeconds" REAL,
    "idempotencyKey" TEXT,
    "requestHash" TEXT,
    "createdAt" DATETIME NOT NULL,
    "startedAt" DATETIME,
    "finishedAt" DATETIME,
    "updatedAt" DATETIME NOT NULL,
    "projectId" TEXT NOT NULL,
    "createdById" TEXT NOT NULL,
    "launcherId" TEXT,
    "resumedFromId" TEXT,
    "priority" INTEGER NOT NULL DEFAULT 0,
    "wantedLabels" JSONB,
    "gpuCount" INTEGER,
    "gpuType" TEXT,
    "memoryBytes" BIGINT,
    "wantedNodeId" TEXT,
    "nodeId" TEXT,
    "lateResult" TEXT,
    "logStreamId" INTEGER NOT NULL,
    "metricStreamId" INTEGER NOT NULL,
    CONSTRAINT "Run_projectId_fkey" FOREIGN KEY ("projectId") REFERENCES "Project" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "Run_createdById_fkey" FOREIGN KEY ("createdById") REFERENCES "User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "Run_launcherId_fkey" FOREIGN KEY ("launcherId") REFERENCES "Launcher" ("id") ON DELETE SET NULL ON UPDATE CASCADE,
    CONSTRAINT "Run_resumedFromId_fkey" FOREIGN KEY ("resumedFromId") REFERENCES "Artifact" ("id") ON DELETE SET NULL ON UPDATE CASCADE,
    CONSTRAINT "Run_wantedNodeId_fkey" FOREIGN KEY ("wantedNodeId") REFERENCES "ComputeNode" ("id") ON DELETE SET NULL ON UPDATE CASCADE,
    CONSTRAINT "Run_nodeId_fkey" FOREIGN KEY ("nodeId") REFERENCES "ComputeNode" ("id") ON DELETE SET NULL ON UPDATE CASCADE,
    CONSTRAINT "Run_logStreamId_fkey" FOREIGN KEY ("logStreamId") REFERENCES "Stream" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "Run_metricStreamId_fkey" FOREIGN KEY ("metricStreamId") REFERENCES "Stream" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);
INSERT INTO "new_Run" ("argv", "checkpointCount", "createdAt", "createdById", "datasetName", "epoch", "exitCode", "finishedAt", "gpuUtilization", "graceSeconds", "hyperparameters", "id", "idempotencyKey", "launcherId", "logStreamId", "metricStreamId", "model", "name", "progress", "projectId", "requestHash", "resources", "resumedFromId", "startCommand", "startedAt", "status", "statusReason", "step", "totalSteps", "updatedAt") SELECT "argv", "checkpointCount", "createdAt", "createdById", "datasetName", "epoch", "exitCode", "finishedAt", "gpuUtilization", "graceSeconds", "hyperparameters", "id", "idempotencyKey", "launcherId", "logStreamId", "metricStreamId", "model", "name", "progress", "projectId", "requestHash", "resources", "resumedFromId", "startCommand", "startedAt", "status", "statusReason", "step", "totalSteps", "updatedAt" FROM "Run";
DROP TABLE "Run";
UPDATE "new_Run" SET "nodeId" = 'node_00000000000000000000000000' WHERE "status" <> 'QUEUED';
ALTER TABLE "new_Run" RENAME TO "Run";
CREATE UNIQUE INDEX "Run_logStreamId_key" ON "Run"("logStreamId");
CREATE UNIQUE INDEX "Run_metricStreamId_key" ON "Run"("metricStreamId");
CREATE INDEX "Run_status_idx" ON "Run"("status");
CREATE INDEX "Run_launcherId_idx" ON "Run"("launcherId");
CREATE INDEX "Run_nodeId_idx" ON "Run"("nodeId");
CREATE INDEX "Run_wantedNodeId_idx" ON "Run"("wantedNodeId");
CREATE UNIQUE INDEX "Run_projectId_name_key" ON "Run"("projectId", "name");
CREATE UNIQUE INDEX "Run_createdById_idempotencyKey_key" ON "Run"("createdById", "idempotencyKey");
PRAGMA foreign_keys=ON;
PRAGMA defer_foreign_keys=OFF;

-- CreateIndex
CREATE UNIQUE INDEX "ComputeNode_name_key" ON "ComputeNode"("name");

-- CreateIndex
CREATE UNIQUE INDEX "ComputeNode_apiTokenId_key" ON "ComputeNode"("apiTokenId");

-- CreateIndex
CREATE UNIQUE INDEX "ComputeNode_telemetryId_key" ON "ComputeNode"("telemetryId");

-- CreateIndex
CREATE INDEX "ComputeNodeLabel_name_value_idx" ON "ComputeNodeLabel"("name", "value");

-- CreateIndex
CREATE UNIQUE INDEX "Execution_directory_key" ON "Execution"("directory");

-- CreateIndex
CREATE INDEX "Execution_nodeId_idx" ON "Execution"("nodeId");

-- CreateIndex
CREATE UNIQUE INDEX "AlertRule_name_key" ON "AlertRule"("name");

-- CreateIndex
CREATE INDEX "Alert_ruleId_subjectId_resolvedAt_idx" ON "Alert"("ruleId", "subjectId", "resolvedAt");

-- CreateIndex
CREATE INDEX "Alert_resolvedAt_idx" ON "Alert"("resolvedAt");

-- CreateIndex
CREATE INDEX "Alert_projectId_idx" ON "Alert"("projectId");

-- CreateIndex
CREATE INDEX "Alert_acknowledgedById_idx" ON "Alert"("acknowledgedById");

-- CreateIndex
CREATE UNIQUE INDEX "Webhook_name_key" ON "Webhook"("name");

-- CreateIndex
CREATE INDEX "WebhookDelivery_webhookId_idx" ON "WebhookDelivery"("webhookId");

-- CreateIndex
CREATE INDEX "WebhookDelivery_alertId_idx" ON "WebhookDelivery"("alertId");

-- CreateIndex
CREATE INDEX "WebhookDelivery_status_nextAttemptAt_idx" ON "WebhookDelivery"("status", "nextAttemptAt");
