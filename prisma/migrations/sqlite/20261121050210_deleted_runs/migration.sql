-- CreateTable
CREATE TABLE "DeletedRun" (
    "runId" TEXT NOT NULL PRIMARY KEY
);
