-- AlterTable
ALTER TABLE "MetricSeries" ADD COLUMN "rollUpLevel" INTEGER;

-- CreateTable
CREATE TABLE "MetricRollUp" (
    "seriesId" INTEGER NOT NULL,
    "level" INTEGER NOT NULL,
    "range" INTEGER NOT NULL,
    "firstStep" INTEGER NOT NULL,
    "lastStep" INTEGER NOT NULL,
    "min" REAL,
    "max" REAL,
    "mean" REAL,
    "lastValue" REAL,
    "count" INTEGER NOT NULL,
    "nonFiniteCount" INTEGER NOT NULL,

    PRIMARY KEY ("seriesId", "level", "range"),
    CONSTRAINT "MetricRollUp_seriesId_fkey" FOREIGN KEY ("seriesId") REFERENCES "MetricSeries" ("id") ON DELETE CASCADE ON UPDATE CASCADE
) WITHOUT ROWID;
