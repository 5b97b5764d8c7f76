//! One whole request, run on the engine's thread: a batch, calls, or a transaction manager request.

use super::response::Response;
use crate::engine::front::{Call, CallParameter, EngineSession};
use crate::engine::sink::Stop;
use tds::DecodeError;
use tds::packet::{PacketKind, Status};
use tds::read::Reader;
use tds::request::{AllHeaders, ProcId, TransactionRequest};
use tds::rpc::{Argument, Parameter, ParameterStatus, Procedure, Rpc};
use tds::types::{FixedType, TypeInfo};
use tds::value::Value;

/// A request as it came.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) kind: PacketKind,
    /// Of the first packet; only there do the reset bits count.
    pub(super) status: Status,
    pub(super) message: Vec<u8>,
}

/// Runs `request`. A client that stopped it is no error; one that broke the protocol is, after it was told.
pub(super) fn run(
    engine: &mut dyn EngineSession,
    request: &Request,
    response: &mut Response,
) -> Result<(), DecodeError> {
    let keep_transaction = request.status.contains(Status::RESET_CONNECTION_SKIP_TRAN);
    if keep_transaction || request.status.contains(Status::RESET_CONNECTION) {
        engine.reset(keep_transaction);
        response.acknowledge_reset();
    }
    let mut reader = Reader::new(&request.message);
    let outcome = AllHeaders::decode(&mut reader).and_then(|headers| {
        if !is_current(engine, &headers) {
            let text = "New request is not allowed to start because it should come with valid transaction descriptor.";
            return Ok(response.error(3989, 16, text));
        }
        match request.kind {
            PacketKind::Rpc => Ok(calls(engine, Rpc::decode_all(&mut reader)?, response)),
            PacketKind::TransactionManager => {
                Ok(engine.transaction(TransactionRequest::decode(&mut reader)?, response))
            }
            _ => Ok(engine.batch(&tds::text::decode(reader.rest(), "batch text")?, response)),
        }
    });
    match outcome {
        Ok(Ok(()) | Err(Stop)) => Ok(()),
        Err(error) => {
            let text = "The incoming tabular data stream (TDS) protocol stream is incorrect. The connection is closed.";
            // Whoever is gone already cannot be told.
            let _ = response.error(4002, 20, text);
            Err(error)
        }
    }
}

/// Whether the request's transaction is the session's. Clients that never learnt of descriptors send 0 throughout.
fn is_current(engine: &dyn EngineSession, headers: &AllHeaders) -> bool {
    let descriptor = headers.transaction.map_or(0, |transaction| transaction.descriptor);
    descriptor == 0 || descriptor == engine.descriptor()
}

fn calls(engine: &mut dyn EngineSession, calls: Vec<Rpc>, response: &mut Response) -> Result<(), Stop> {
    let mut calls = calls.into_iter().filter(|call| call.run).peekable();
    while let Some(call) = calls.next() {
        let more = calls.peek().is_some();
        response.begin_call();
        match prepare(call) {
            Ok(call) => engine.call(call, response)?,
            Err((number, text)) => response.error(number, 16, &text)?,
        }
        response.end_call(more)?;
    }
    Ok(())
}

/// The call as the engine takes it, or the number and text of what is wrong with it.
fn prepare(call: Rpc) -> Result<Call, (i32, String)> {
    let procedure = match call.procedure {
        Procedure::Name(name) => name,
        Procedure::Id(number) => match ProcId::from_number(number) {
            Some(id) => id.name().to_owned(),
            None => return Err((2812, format!("Could not find stored procedure with id {number}."))),
        },
    };
    Ok(Call { procedure, parameters: call.parameters.into_iter().map(parameter).collect() })
}

fn parameter(parameter: Parameter) -> CallParameter {
    let output = parameter.status.contains(ParameterStatus::OUTPUT);
    let default = parameter.status.contains(ParameterStatus::DEFAULT);
    let Parameter { name, argument, .. } = parameter;
    match argument {
        Argument::Value(type_info, value) => CallParameter { name, type_info, value, output, default, table: None },
        Argument::Table(table) => {
            let (type_info, value) = (TypeInfo::Fixed(FixedType::Null), Value::Null);
            CallParameter { name, type_info, value, output, default, table: Some(table) }
        }
    }
}
