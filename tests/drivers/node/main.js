// Runs the checks of one JSON job with tedious or node-mssql and prints what it saw as one JSON document.
//
// The job file is the first argument: {client, host, port, read_only_port, ca_file, user, password, database, work_dir, checks}.
'use strict';

const fs = require('node:fs');

const CLIENTS = { tedious: './session.js', 'node-mssql': './mssql_session.js' };

/** The outcome of a step that failed: the server's error number if it has one. */
function failed(error) {
  // tedious gives every server error of a batch; the first one is the cause.
  const first = error.errors?.[0] ?? error;
  const server = Number.isInteger(first.number) ? first : first.cause;
  if (Number.isInteger(server?.number)) {
    return { error: server.number, message: server.message };
  }
  return { failure: `${first.code ?? first.name}: ${first.message}` };
}

/** Runs a statement that the driver must stop, and says whether it was stopped in time. */
async function interrupted(session, step) {
  const started = performance.now();
  const stopped = await session.interrupt(step);
  const elapsedMs = performance.now() - started;
  return { interrupted: stopped, in_time: elapsedMs >= step.after_ms - 50 && elapsedMs <= step.within_ms };
}

/** One step; see runner/checks.py for the verbs. */
async function perform(session, step) {
  switch (step.do) {
    case 'begin':
    case 'commit':
    case 'rollback':
      await session.transaction(step.do);
      return { done: true };
    case 'cancel':
    case 'timeout':
      return interrupted(session, step);
    default: {
      const { sets, affected } = await session.run(step);
      return step.do === 'execute' ? { affected } : { sets };
    }
  }
}

/** One check, on a connection of its own. */
async function examine(Session, job, check) {
  let session;
  try {
    session = await Session.connect(job, check);
  } catch (error) {
    return { connect: failed(error), steps: [] };
  }
  const steps = [];
  for (const step of check.steps) {
    try {
      steps.push(await perform(session, step));
    } catch (error) {
      steps.push(failed(error));
    }
  }
  await session.close();
  return { connect: { done: true }, steps };
}

async function main() {
  const job = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
  const { Session } = require(CLIENTS[job.client]);
  const outcomes = {};
  for (const [id, check] of Object.entries(job.checks)) {
    outcomes[id] = await examine(Session, job, check);
  }
  process.stdout.write(JSON.stringify({ client: job.client, version: Session.version(), outcomes }) + '\n');
}

main();
