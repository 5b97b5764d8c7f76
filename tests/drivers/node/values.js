// The common notation of values: text to a tedious parameter, and a tedious result to text.
'use strict';

const { TYPES } = require('tedious');

function utc(value) {
  return new Date(`${value}Z`);
}

/** For each kind of parameter: its type, its value from text, and what the type must know. */
const PARAMETERS = {
  bit: [TYPES.Bit, (value) => value === 'true'],
  int: [TYPES.Int, Number],
  bigint: [TYPES.BigInt, BigInt],
  decimal: [TYPES.Decimal, Number, { precision: 18, scale: 4 }],
  float: [TYPES.Float, (value) => Buffer.from(value.slice('double:'.length), 'hex').readDoubleBE()],
  nvarchar: [TYPES.NVarChar, String],
  varbinary: [TYPES.VarBinary, (value) => Buffer.from(value.slice('0x'.length), 'hex')],
  date: [TYPES.Date, (value) => utc(`${value}T00:00:00`)],
  datetime: [TYPES.DateTime, utc],
  datetime2: [TYPES.DateTime2, utc, { scale: 7 }],
  uniqueidentifier: [TYPES.UniqueIdentifier, String],
};

function bind(request, name, kind, value) {
  const [type, fromText, options] = PARAMETERS[kind];
  request.addParameter(name, type, value === null ? null : fromText(value), options);
}

function moment(date) {
  // tedious keeps what a Date cannot hold beside it, in seconds.
  const beyond = Math.round((date.nanosecondsDelta ?? 0) * 1e7);
  return date.toISOString().slice(0, -1) + String(beyond).padStart(4, '0');
}

/** A result in the common notation; the column's type tells a decimal's scale and a float from an integer. */
function text(value, metadata) {
  if (value === null) {
    return null;
  }
  const type = metadata.type.name;
  if (Buffer.isBuffer(value)) {
    return `0x${value.toString('hex').toUpperCase()}`;
  }
  if (value instanceof Date) {
    return type === 'Date' ? value.toISOString().slice(0, 10) : moment(value);
  }
  if (type.startsWith('Decimal') || type.startsWith('Numeric')) {
    return value.toFixed(metadata.scale);
  }
  if (type.startsWith('Float')) {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value);
    return `double:${bytes.toString('hex')}`;
  }
  return String(value);
}

module.exports = { bind, moment, text, utc };
