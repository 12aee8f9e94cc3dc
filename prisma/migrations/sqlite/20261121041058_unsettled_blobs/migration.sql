-- CreateTable
CREATE TABLE "UnsettledBlob" (
    "key" TEXT NOT NULL PRIMARY KEY
);
