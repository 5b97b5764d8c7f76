// One connection of node-mssql: a pool of one, over tedious.
'use strict';

const fs = require('node:fs');
const sql = require('mssql');
const { MODES } = require('./session.js');
const { moment, utc } = require('./values.js');

const TYPES = {
  bit: [sql.Bit, (value) => value === 'true'],
  int: [sql.Int, Number],
  bigint: [sql.BigInt, String],
  decimal: [sql.Decimal(18, 4), Number],
  float: [sql.Float, (value) => Buffer.from(value.slice('double:'.length), 'hex').readDoubleBE()],
  nvarchar: [sql.NVarChar(sql.MAX), String],
  varbinary: [sql.VarBinary(sql.MAX), (value) => Buffer.from(value.slice('0x'.length), 'hex')],
  date: [sql.Date, (value) => utc(`${value}T00:00:00`)],
  datetime: [sql.DateTime, utc],
  datetime2: [sql.DateTime2(7), utc],
  uniqueidentifier: [sql.UniqueIdentifier, String],
};

/** A result in the common notation; the column's declaration tells a decimal's scale and a float from an integer. */
function text(value, column) {
  if (value === null) {
    return null;
  }
  if (Buffer.isBuffer(value)) {
    return `0x${value.toString('hex').toUpperCase()}`;
  }
  if (value instanceof Date) {
    return column.type === sql.Date ? value.toISOString().slice(0, 10) : moment(value);
  }
  if (column.type === sql.Decimal || column.type === sql.Numeric) {
    return value.toFixed(column.scale);
  }
  if (column.type === sql.Float) {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value);
    return `double:${bytes.toString('hex')}`;
  }
  return String(value);
}

/** A set that came as arrays, because its columns may share a name. */
function table(rows) {
  return {
    columns: rows.columns.map((column) => column.name),
    rows: rows.map((row) => row.map((cell, index) => text(cell, rows.columns[index]))),
  };
}

class Session {
  static version() {
    return `mssql ${require('mssql/package.json').version}`;
  }

  static async connect(job, check) {
    const pool = new sql.ConnectionPool({
      server: job.host,
      port: check.read_only ? job.read_only_port : job.port,
      user: job.user,
      password: check.wrong_password ? 'not the password' : job.password,
      database: check.database ?? job.database,
      arrayRowMode: true,
      connectionTimeout: 10_000,
      requestTimeout: 20_000,
      pool: { min: 1, max: 1 },
      options: { ...MODES[check.mode](fs.readFileSync(job.ca_file, 'utf8')), readOnlyIntent: check.read_only, useUTC: true },
    });
    pool.on('error', () => {});
    try {
      return new Session(await pool.connect());
    } catch (error) {
      // A failed login has lost the server's error number, so the text tells which error this is.
      const number = { 'Login failed': 18456, 'Cannot open database': 4060 };
      const known = Object.keys(number).find((text) => error.message.startsWith(text));
      throw known ? Object.assign(error, { number: number[known] }) : error;
    }
  }

  constructor(pool) {
    this.pool = pool;
    this.open = null;
  }

  async run(step) {
    const request = new sql.Request(this.open ?? this.pool);
    step.params.forEach(([kind, value], index) => {
      const [type, fromText] = TYPES[kind];
      request.input(`p${index + 1}`, type, value === null ? null : fromText(value));
    });
    const result = await (step.params.length === 0 ? request.batch(step.sql) : request.query(step.sql));
    return { sets: result.recordsets.map(table), affected: result.rowsAffected[0] };
  }

  async transaction(verb) {
    if (verb === 'begin') {
      this.open = new sql.Transaction(this.pool);
      await this.open.begin();
    } else {
      const ending = this.open;
      this.open = null;
      await ending[verb]();
    }
  }

  /** Whether the driver stopped the statement, by a cancel or by its request timeout. */
  async interrupt(step) {
    const request = new sql.Request(this.pool, step.do === 'timeout' ? { requestTimeout: step.after_ms } : undefined);
    const timer = step.do === 'cancel' ? setTimeout(() => request.cancel(), step.after_ms) : undefined;
    try {
      await request.batch(step.sql);
      return false;
    } catch (error) {
      if (error.code !== (step.do === 'timeout' ? 'ETIMEOUT' : 'ECANCEL')) {
        throw error;
      }
      return true;
    } finally {
      clearTimeout(timer);
    }
  }

  async close() {
    await this.pool.close();
  }
}

module.exports = { Session };
