// One connection of tedious, as promises.
'use strict';

const fs = require('node:fs');
const { Connection, Request } = require('tedious');
const { bind, text } = require('./values.js');

const MODES = {
  none: () => ({ encrypt: false }),
  trust: () => ({ encrypt: true, trustServerCertificate: true }),
  verify: (ca) => ({ encrypt: true, trustServerCertificate: false, cryptoCredentialsDetails: { ca } }),
  strict: (ca) => ({ encrypt: 'strict', trustServerCertificate: false, cryptoCredentialsDetails: { ca } }),
};

class Session {
  static version() {
    return `tedious ${require('tedious/package.json').version}`;
  }

  static async connect(job, check) {
    const connection = new Connection({
      server: job.host,
      authentication: {
        type: 'default',
        options: { userName: job.user, password: check.wrong_password ? 'not the password' : job.password },
      },
      options: {
        ...MODES[check.mode](fs.readFileSync(job.ca_file, 'utf8')),
        port: check.read_only ? job.read_only_port : job.port,
        database: check.database ?? job.database,
        readOnlyIntent: check.read_only,
        connectTimeout: 10_000,
        requestTimeout: 20_000,
        rowCollectionOnRequestCompletion: false,
        useUTC: true,
      },
    });
    // A connection that breaks later says so here too; the running request has the same error.
    connection.on('error', () => {});
    // A failed login has lost the server's error number by the time it is reported.
    let told;
    connection.on('errorMessage', (token) => (told ??= token));
    await new Promise((resolve, reject) => {
      connection.connect((error) => (error ? reject(told ?? error) : resolve()));
    });
    return new Session(connection);
  }

  constructor(connection) {
    this.connection = connection;
  }

  /** All result sets in order, and the number of rows touched. */
  run(step) {
    return new Promise((resolve, reject) => {
      const sets = [];
      const request = new Request(step.sql, (error, affected) => (error ? reject(error) : resolve({ sets, affected })));
      request.on('columnMetadata', (columns) => sets.push({ columns: columns.map((column) => column.colName), rows: [] }));
      request.on('row', (cells) => sets.at(-1).rows.push(cells.map((cell) => text(cell.value, cell.metadata))));
      step.params.forEach(([kind, value], index) => bind(request, `p${index + 1}`, kind, value));
      if (step.params.length === 0) {
        this.connection.execSqlBatch(request);
      } else {
        this.connection.execSql(request);
      }
    });
  }

  transaction(verb) {
    const method = { begin: 'beginTransaction', commit: 'commitTransaction', rollback: 'rollbackTransaction' }[verb];
    return new Promise((resolve, reject) => {
      this.connection[method]((error) => (error ? reject(error) : resolve()));
    });
  }

  /** Whether the driver stopped the statement, by a cancel or by its request timeout. */
  interrupt(step) {
    return new Promise((resolve, reject) => {
      const wanted = step.do === 'timeout' ? 'ETIMEOUT' : 'ECANCEL';
      const request = new Request(step.sql, (error) => {
        if (error && error.code !== wanted) {
          reject(error);
        } else {
          resolve(Boolean(error));
        }
      });
      if (step.do === 'timeout') {
        request.setTimeout(step.after_ms);
      } else {
        setTimeout(() => this.connection.cancel(), step.after_ms);
      }
      this.connection.execSqlBatch(request);
    });
  }

  close() {
    this.connection.close();
  }
}

module.exports = { MODES, Session };
