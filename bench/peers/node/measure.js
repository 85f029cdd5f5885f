// graphile-worker on Postgres: node measure.js prepare | work | enqueue COUNT.
const fs = require('node:fs');
const path = require('node:path');
const { Logger, makeWorkerUtils, run } = require('graphile-worker');
const { Pool } = require('pg');

const BATCH = 500;
// Batches in flight. With two it ran as many tasks (medians of six passes: 33,411 and 33,505), with four 28,564: what waits
// makes its claims dearer.
const LANES = 1;
const CELL_MS = 5;
const logger = new Logger(() => () => {});
const pgPool = new Pool({ connectionString: process.env.PEER_POSTGRES, max: 12 });
pgPool.on('error', () => {});

const nowNs = () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6));

// Counts executions in a file, some milliseconds late: 8 bytes of count, 8 bytes of the moment of the newest one.
function openTally() {
  const file = fs.openSync(path.join(process.env.PEER_TALLY, `${process.pid}.cell`), 'w');
  const cell = Buffer.alloc(16);
  let count = 0, written = 0, last = 0n;
  setInterval(() => {
    if (count === written) return;
    written = count;
    cell.writeBigInt64LE(BigInt(count), 0);
    cell.writeBigInt64LE(last, 8);
    fs.writeSync(file, cell, 0, 16, 0);
  }, CELL_MS);
  return () => { count += 1; last = nowNs(); };
}

async function work() {
  const executed = openTally();
  const runner = await run({
    pgPool, logger,
    taskList: { measure: async (payload) => { executed(); return void payload.payload.length; } },
    preset: { worker: { concurrentJobs: 24, localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
  });
  await runner.promise;
}

async function enqueue(count) {
  const tools = await makeWorkerUtils({ pgPool, logger });
  const payload = 'p'.repeat(100);
  // As with everybody: what is handed in is made before the clock starts, and encoded after.
  const batches = [];
  for (let left = count; left > 0; left -= BATCH) {
    batches.push(Array.from({ length: Math.min(BATCH, left) }, () => ({ identifier: 'measure', payload: { payload } })));
  }
  const lane = async () => { while (batches.length > 0) await tools.addJobs(batches.pop()); };
  console.log(`{"first_ns": ${nowNs()}}`);
  await Promise.all(Array.from({ length: LANES }, lane));
  console.log(`{"last_ns": ${nowNs()}}`);
  await tools.release();
  await pgPool.end();
}

async function prepare() {
  const tools = await makeWorkerUtils({ pgPool, logger });
  await tools.migrate();
  await tools.release();
  await pgPool.end();
}

const [, , command, count] = process.argv;
({ prepare, work, enqueue: () => enqueue(Number(count)) })[command]().catch((error) => { console.error(error); process.exit(1); });
