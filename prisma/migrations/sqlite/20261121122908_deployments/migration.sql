-- CreateTable
CREATE TABLE "Engine" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "command" JSONB NOT NULL,
    "environment" TEXT,
    "environmentNames" JSONB NOT NULL,
    "healthPath" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL,
    "updatedAt" DATETIME NOT NULL,
    "createdById" TEXT NOT NULL,
    CONSTRAINT "Engine_createdById_fkey" FOREIGN KEY ("createdById") REFERENCES "User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Deployment" (
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
    CONSTRAINT "Deployment_projectId_fkey" FOREIGN KEY ("projectId") REFERENCES "Project" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "Deployment_artifactId_fkey" FOREIGN KEY ("artifactId") REFERENCES "Artifact" ("id") ON DELETE SET NULL ON UPDATE CASCADE,
    CONSTRAINT "Deployment_createdById_fkey" FOREIGN KEY ("createdById") REFERENCES "User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "Deployment_logStreamId_fkey" FOREIGN KEY ("logStreamId") REFERENCES "Stream" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "DeploymentTag" (
    "deploymentId" TEXT NOT NULL,
    "value" TEXT NOT NULL,
    "position" INTEGER NOT NULL,

    PRIMARY KEY ("deploymentId", "value"),
    CONSTRAINT "DeploymentTag_deploymentId_fkey" FOREIGN KEY ("deploymentId") REFERENCES "Deployment" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "ModelServer" (
    "id" TEXT NOT NULL PRIMARY KEY,
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
    CONSTRAINT "ModelServer_deploymentId_fkey" FOREIGN KEY ("deploymentId") REFERENCES "Deployment" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "GpuReservation" (
    "gpu" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "modelServerId" TEXT NOT NULL,
    CONSTRAINT "GpuReservation_modelServerId_fkey" FOREIGN KEY ("modelServerId") REFERENCES "ModelServer" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "DeploymentUsage" (
    "deploymentId" TEXT NOT NULL,
    "minute" INTEGER NOT NULL,
    "requests" INTEGER NOT NULL,
    "errors" INTEGER NOT NULL,
    "promptTokens" INTEGER NOT NULL,
    "completionTokens" INTEGER NOT NULL,
    "firstTokens" INTEGER NOT NULL,
    "firstTokenMs" REAL NOT NULL,
    "slowestFirstToken" REAL NOT NULL,
    "durationMs" REAL NOT NULL,

    PRIMARY KEY ("deploymentId", "minute"),
    CONSTRAINT "DeploymentUsage_deploymentId_fkey" FOREIGN KEY ("deploymentId") REFERENCES "Deployment" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateIndex
CREATE UNIQUE INDEX "Engine_name_key" ON "Engine"("name");

-- CreateIndex
CREATE UNIQUE INDEX "Deployment_logStreamId_key" ON "Deployment"("logStreamId");

-- CreateIndex
CREATE INDEX "Deployment_name_idx" ON "Deployment"("name");

-- CreateIndex
CREATE INDEX "Deployment_status_idx" ON "Deployment"("status");

-- CreateIndex
CREATE INDEX "Deployment_projectId_idx" ON "Deployment"("projectId");

-- CreateIndex
CREATE INDEX "Deployment_artifactId_idx" ON "Deployment"("artifactId");

-- CreateIndex
CREATE UNIQUE INDEX "Deployment_createdById_idempotencyKey_key" ON "Deployment"("createdById", "idempotencyKey");

-- CreateIndex
CREATE INDEX "DeploymentTag_value_idx" ON "DeploymentTag"("value");

-- CreateIndex
CREATE UNIQUE INDEX "ModelServer_port_key" ON "ModelServer"("port");

-- CreateIndex
CREATE UNIQUE INDEX "ModelServer_deploymentId_revision_key" ON "ModelServer"("deploymentId", "revision");

-- CreateIndex
CREATE INDEX "GpuReservation_modelServerId_idx" ON "GpuReservation"("modelServerId");
