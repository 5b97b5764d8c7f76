"""The common notation of values: text to a Python parameter, and a Python result to text."""

import datetime
import decimal
import struct
import uuid

PARAMETERS = {
    "bit": lambda text: text == "true",
    "int": int,
    "bigint": int,
    "decimal": decimal.Decimal,
    "float": lambda text: struct.unpack(">d", bytes.fromhex(text.removeprefix("double:")))[0],
    "nvarchar": str,
    "varbinary": lambda text: bytes.fromhex(text.removeprefix("0x")),
    "date": datetime.date.fromisoformat,
    "datetime": lambda text: datetime.datetime.fromisoformat(text[:-1]),
    "datetime2": lambda text: datetime.datetime.fromisoformat(text[:-1]),
    "uniqueidentifier": uuid.UUID,
}


def parameter(kind, text):
    """The value a client is given for a parameter of this kind."""
    return None if text is None else PARAMETERS[kind](text)


def text(value):
    """A result in the common notation."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case float():
            return "double:" + struct.pack(">d", value).hex()
        case decimal.Decimal():
            return f"{value:f}"
        case bytes() | bytearray() | memoryview():
            return "0x" + bytes(value).hex().upper()
        case datetime.datetime():
            return value.strftime("%Y").zfill(4) + value.strftime("-%m-%dT%H:%M:%S.%f") + "0"
        case datetime.date():
            return value.isoformat()
        case uuid.UUID():
            return str(value).upper()
    return str(value)
