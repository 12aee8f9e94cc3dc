-- CreateTable
CREATE TABLE "User" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "username" TEXT NOT NULL,
    "email" TEXT,
    "passwordHash" TEXT NOT NULL,
    "role" TEXT NOT NULL DEFAULT 'MEMBER',
    "preferences" JSONB NOT NULL,
    "createdAt" DATETIME NOT NULL,
    "lastLoginAt" DATETIME
);

-- CreateTable
CREATE TABLE "ApiToken" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "secretHash" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL,
    "expiresAt" DATETIME,
    "lastUsedAt" DATETIME,
    "userId" TEXT NOT NULL,
    "runId" TEXT,
    CONSTRAINT "ApiToken_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "ApiToken_runId_fkey" FOREIGN KEY ("runId") REFERENCES "Run" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Project" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "objective" TEXT,
    "taskType" TEXT,
    "baseModel" TEXT,
    "defaultHyperparameters" JSONB NOT NULL,
    "datasetName" TEXT,
    "trainConfigName" TEXT,
    "command" JSONB NOT NULL,
    "workingDirectory" TEXT,
    "resumeArgs" JSONB NOT NULL,
    "status" TEXT NOT NULL,
    "lastRunNumber" INTEGER NOT NULL DEFAULT 0,
    "createdAt" DATETIME NOT NULL,
    "updatedAt" DATETIME NOT NULL,
    "ownerId" TEXT NOT NULL,
    CONSTRAINT "Project_ownerId_fkey" FOREIGN KEY ("ownerId") REFERENCES "User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "ProjectTag" (
    "projectId" TEXT NOT NULL,
    "value" TEXT NOT NULL,
    "position" INTEGER NOT NULL,

    PRIMARY KEY ("projectId", "value"),
    CONSTRAINT "ProjectTag_projectId_fkey" FOREIGN KEY ("projectId") REFERENCES "Project" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "ProjectVersion" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "number" INTEGER NOT NULL,
    "changes" JSONB NOT NULL,
    "createdAt" DATETIME NOT NULL,
    "projectId" TEXT NOT NULL,
    "changedById" TEXT NOT NULL,
    CONSTRAINT "ProjectVersion_projectId_fkey" FOREIGN KEY ("projectId") REFERENCES "Project" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "ProjectVersion_changedById_fkey" FOREIGN KEY ("changedById") REFERENCES "User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Dataset" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "type" TEXT,
    "source" TEXT,
    "taskType" TEXT,
    "metadata" JSONB NOT NULL,
    "status" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL,
    "updatedAt" DATETIME NOT NULL,
    "createdById" TEXT NOT NULL,
    CONSTRAINT "Dataset_createdById_fkey" FOREIGN KEY ("createdById") REFERENCES "User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "DatasetFile" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "filename" TEXT NOT NULL,
    "sizeBytes" BIGINT NOT NULL,
    "sha256" TEXT NOT NULL,
    "storageKey" TEXT NOT NULL,
    "uploadedAt" DATETIME NOT NULL,
    "datasetId" TEXT NOT NULL,
    CONSTRAINT "DatasetFile_datasetId_fkey" FOREIGN KEY ("datasetId") REFERENCES "Dataset" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "TrainConfig" (
    "datasetId" TEXT NOT NULL PRIMARY KEY,
    "filename" TEXT NOT NULL,
    "sizeBytes" BIGINT NOT NULL,
    "text" TEXT NOT NULL,
    "content" JSONB NOT NULL,
    "uploadedAt" DATETIME NOT NULL,
    CONSTRAINT "TrainConfig_datasetId_fkey" FOREIGN KEY ("datasetId") REFERENCES "Dataset" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Run" (
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
    "resumedFromId" TEXT,
    "logStreamId" INTEGER NOT NULL,
    "metricStreamId" INTEGER NOT NULL,
    CONSTRAINT "Run_projectId_fkey" FOREIGN KEY ("projectId") REFERENCES "Project" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "Run_createdById_fkey" FOREIGN KEY ("createdById") REFERENCES "User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "Run_resumedFromId_fkey" FOREIGN KEY ("resumedFromId") REFERENCES "Artifact" ("id") ON DELETE SET NULL ON UPDATE CASCADE,
    CONSTRAINT "Run_logStreamId_fkey" FOREIGN KEY ("logStreamId") REFERENCES "Stream" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "Run_metricStreamId_fkey" FOREIGN KEY ("metricStreamId") REFERENCES "Stream" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "RunOutput" (
    "runId" TEXT NOT NULL PRIMARY KEY,
    "stdoutOffset" BIGINT NOT NULL DEFAULT 0,
    "stderrOffset" BIGINT NOT NULL DEFAULT 0,
    "parserState" JSONB NOT NULL,
    CONSTRAINT "RunOutput_runId_fkey" FOREIGN KEY ("runId") REFERENCES "Run" ("id") ON DELETE CASCADE ON UPDATE CASCADE
) WITHOUT ROWID;

-- CreateTable
CREATE TABLE "Stream" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "lastSeq" INTEGER NOT NULL DEFAULT 0
);

-- CreateTable
CREATE TABLE "LogLine" (
    "streamId" INTEGER NOT NULL,
    "seq" INTEGER NOT NULL,
    "timestamp" BIGINT NOT NULL,
    "level" INTEGER NOT NULL,
    "source" INTEGER NOT NULL,
    "partial" INTEGER NOT NULL,
    "message" TEXT NOT NULL,

    PRIMARY KEY ("streamId", "seq"),
    CONSTRAINT "LogLine_streamId_fkey" FOREIGN KEY ("streamId") REFERENCES "Stream" ("id") ON DELETE CASCADE ON UPDATE CASCADE
) WITHOUT ROWID;

-- CreateTable
CREATE TABLE "MetricSeries" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "key" TEXT NOT NULL,
    "pointCount" INTEGER NOT NULL DEFAULT 0,
    "lastStep" INTEGER NOT NULL,
    "lastValue" REAL NOT NULL,
    "lastNonFinite" INTEGER NOT NULL DEFAULT 0,
    "lastTimestamp" BIGINT NOT NULL,
    "runId" TEXT NOT NULL,
    CONSTRAINT "MetricSeries_runId_fkey" FOREIGN KEY ("runId") REFERENCES "Run" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "MetricPoint" (
    "seriesId" INTEGER NOT NULL,
    "step" INTEGER NOT NULL,
    "value" REAL NOT NULL,
    "nonFinite" INTEGER NOT NULL DEFAULT 0,
    "streamId" INTEGER NOT NULL,
    "seq" INTEGER NOT NULL,
    "timestamp" BIGINT NOT NULL,

    PRIMARY KEY ("seriesId", "step", "value", "nonFinite"),
    CONSTRAINT "MetricPoint_seriesId_fkey" FOREIGN KEY ("seriesId") REFERENCES "MetricSeries" ("id") ON DELETE CASCADE ON UPDATE CASCADE
) WITHOUT ROWID;

-- CreateTable
CREATE TABLE "Artifact" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "uri" TEXT NOT NULL,
    "isFolder" BOOLEAN NOT NULL,
    "sizeBytes" BIGINT,
    "sha256" TEXT,
    "step" INTEGER,
    "fingerprint" TEXT,
    "createdAt" DATETIME NOT NULL,
    "runId" TEXT NOT NULL,
    CONSTRAINT "Artifact_runId_fkey" FOREIGN KEY ("runId") REFERENCES "Run" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "ArtifactTag" (
    "artifactId" TEXT NOT NULL,
    "value" TEXT NOT NULL,
    "notes" TEXT,
    "appliedAt" DATETIME NOT NULL,
    "appliedById" TEXT NOT NULL,

    PRIMARY KEY ("artifactId", "value"),
    CONSTRAINT "ArtifactTag_artifactId_fkey" FOREIGN KEY ("artifactId") REFERENCES "Artifact" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "ArtifactTag_appliedById_fkey" FOREIGN KEY ("appliedById") REFERENCES "User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- CreateIndex
CREATE UNIQUE INDEX "User_username_key" ON "User"("username");

-- CreateIndex
CREATE UNIQUE INDEX "User_email_key" ON "User"("email");

-- CreateIndex
CREATE UNIQUE INDEX "ApiToken_secretHash_key" ON "ApiToken"("secretHash");

-- CreateIndex
CREATE INDEX "ApiToken_userId_idx" ON "ApiToken"("userId");

-- CreateIndex
CREATE INDEX "ApiToken_runId_idx" ON "ApiToken"("runId");

-- CreateIndex
CREATE UNIQUE INDEX "Project_name_key" ON "Project"("name");

-- CreateIndex
CREATE INDEX "Project_ownerId_idx" ON "Project"("ownerId");

-- CreateIndex
CREATE INDEX "Project_status_idx" ON "Project"("status");

-- CreateIndex
CREATE INDEX "ProjectTag_value_idx" ON "ProjectTag"("value");

-- CreateIndex
CREATE UNIQUE INDEX "ProjectVersion_projectId_number_key" ON "ProjectVersion"("projectId", "number");

-- CreateIndex
CREATE UNIQUE INDEX "Dataset_name_key" ON "Dataset"("name");

-- CreateIndex
CREATE INDEX "Dataset_status_idx" ON "Dataset"("status");

-- CreateIndex
CREATE UNIQUE INDEX "DatasetFile_datasetId_filename_key" ON "DatasetFile"("datasetId", "filename");

-- CreateIndex
CREATE INDEX "TrainConfig_filename_idx" ON "TrainConfig"("filename");

-- CreateIndex
CREATE UNIQUE INDEX "Run_logStreamId_key" ON "Run"("logStreamId");

-- CreateIndex
CREATE UNIQUE INDEX "Run_metricStreamId_key" ON "Run"("metricStreamId");

-- CreateIndex
CREATE INDEX "Run_status_idx" ON "Run"("status");

-- CreateIndex
CREATE UNIQUE INDEX "Run_projectId_name_key" ON "Run"("projectId", "name");

-- CreateIndex
CREATE UNIQUE INDEX "Run_createdById_idempotencyKey_key" ON "Run"("createdById", "idempotencyKey");

-- CreateIndex
CREATE UNIQUE INDEX "MetricSeries_runId_key_key" ON "MetricSeries"("runId", "key");

-- CreateIndex
CREATE UNIQUE INDEX "MetricPoint_streamId_seq_key" ON "MetricPoint"("streamId", "seq");

-- CreateIndex
CREATE UNIQUE INDEX "Artifact_runId_name_key" ON "Artifact"("runId", "name");
